"""Take the newest trust list of the C2PA conformance programme: python -m detector.provenance.renew"""

import ssl
import sys
import urllib.request

from detector.checkpoint import write_whole
from detector.provenance.signed import TRUST_LIST

ADDRESS = "https://raw.githubusercontent.com/c2pa-org/conformance-public/main/trust-list/C2PA-TRUST-LIST.pem"
TIMEOUT = 20  # seconds
MOST = 2**20  # bytes; the list has some forty thousand


def main(address: str = ADDRESS) -> int:
    """Exit code: 0, or 1 with the old list left as it is."""
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:
            text = answer.read(MOST).decode("ascii")
        n = certificates_in(text)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        print(f"The trust list could not be renewed and stays as it was ({error}).", file=sys.stderr)
        return 1
    write_whole(TRUST_LIST.parent, {TRUST_LIST.name: text.encode()})
    print(f"The trust list now has {n} certificates.")
    return 0


def certificates_in(text: str) -> int:
    """How many certificates a PEM file holds. Raises ssl.SSLError or ValueError if one is broken or there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=text)
    n = text.count("-----BEGIN CERTIFICATE-----")
    if not n or len(context.get_ca_certs()) == 0:
        raise ValueError("it holds no certificates")
    return n


if __name__ == "__main__":
    sys.exit(main())
