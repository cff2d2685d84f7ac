"""A peer in another language, between two of ours: hears an edge, takes every message apart, and publishes what it held
on an edge of its own, as docs/wire.md says. usage: wire_relay.py FROM_ENDPOINT FROM_TOPIC OWN_ENDPOINT OWN_NAME
"""
import os
import sys

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kvcodec"))
from wire_peer import decode_message, edge_topic, encode_message  # noqa: E402

PATIENCE_MS = 20_000


def receive(socket, what):
    if not socket.poll(PATIENCE_MS):
        sys.exit(f"wire_relay: {what} did not come")
    return socket.recv_multipart()


def main(source, topic, own, name):
    context = zmq.Context()
    publisher = context.socket(zmq.XPUB)
    publisher.bind(own)
    subscription = receive(publisher, "the receiver's subscription")[0]
    if subscription[:1] != b"\x01":
        sys.exit("wire_relay: an unsubscription came first")
    subscriber = context.socket(zmq.SUB)
    subscriber.connect(source)
    subscriber.setsockopt(zmq.SUBSCRIBE, topic.encode())
    left = None
    while left != 0:
        frames = receive(subscriber, "a message")
        envelope, payload = decode_message(frames[1:])
        left = envelope["count"] - envelope["sequence"] - 1
        envelope["from"] = name
        out = edge_topic(envelope["mesh"], name, envelope["to"], envelope["kind"])
        if out != subscription[1:]:
            sys.exit(f"wire_relay: the receiver subscribed to {subscription[1:]}, not {out}")
        publisher.send_multipart([out] + encode_message(envelope, [bytes(part) for part in payload]))
    subscriber.close(linger=0)  # term() waits for every socket
    publisher.close(linger=PATIENCE_MS)
    context.term()


if __name__ == "__main__":
    main(*sys.argv[1:])
