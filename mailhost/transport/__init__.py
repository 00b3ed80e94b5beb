"""What a session knows of the network: `channel`. Below it `connection` (Twisted) and `memory` (tests), `tls`, `limits`."""
