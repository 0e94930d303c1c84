"""The tab."""

from concurrent.futures import Future

import gradio as gr


def draw(model: Future, gallery: Future) -> None:
    """Draw the tab. The futures yield a Service and a list of Examples."""
    gr.HTML("many")
