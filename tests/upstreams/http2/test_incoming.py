"""
The frames of a next hop, whatever it sends: at every split, and with octets that are wrong.
"""

from __future__ import annotations

from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from connectproxy.errors import Refused
from connectproxy.wire.http2 import FrameType, formatData, formatFrame, formatHeaders, formatSettings
from tests.upstreams.http2.case import ACK, HopCase, RawHop


def talk() -> bytes:
    """
    What a next hop says that opens one tunnel and refuses another.
    """
    encoder = Encoder()
    return b"".join(
        (
            formatSettings({3: 100, 4: 65535, 6: 65536}),
            ACK,
            formatFrame(FrameType.WINDOW_UPDATE, 0, 0, b"\0\1\0\0"),
            formatHeaders(1, encoder.encode([(":status", "103"), ("link", "<x>")]), 16384),
            formatHeaders(1, encoder.encode([(":status", "200"), ("via", "2.0 far")]), 9),
            formatHeaders(3, encoder.encode([(":status", "403"), ("via", "2.0 far")]), 16384, end=True),
            formatFrame(FrameType.PING, 0, 0, b"are you?"),
            formatFrame(FrameType.DATA, 8, 1, b"\x03banner\0\0\0"),
            formatFrame(0xFA, 0, 0, b"an extension"),
            formatData(1, b" and more", 4, end=True),
        )
    )


TALK = talk()


class TalkTests(HopCase):
    """
    One talk, in every way.
    """

    def hear(self, *pieces: bytes) -> None:
        """
        Let it come in pieces: what comes of it is always the same.
        """
        self.setUp()
        opened, refused = self.connect("a:1"), self.connect("b:1")
        hop = self.hop(RawHop())
        for piece in pieces:
            hop.transport.write(piece)
            self.flush()
        protocol = self.successResultOf(opened).protocol
        self.assertEqual((bytes(protocol.received), protocol.ended), (b"banner and more", True))
        self.refused(refused, "next_hop_denied")
        self.assertEqual(len(hop.frames(FrameType.PING)), 1)
        self.assertEqual(hop.goodbyes, [])

    def test_pieces(self) -> None:
        """
        Whole, octet by octet, and at every split.
        """
        self.hear(TALK)
        self.hear(*(TALK[at : at + 1] for at in range(len(TALK))))
        for at in range(1, len(TALK)):
            self.hear(TALK[:at], TALK[at:])

    @given(st.data())
    @settings(max_examples=150, deadline=None)
    def test_mutants(self, data: st.DataObject) -> None:
        """
        Whatever comes, nothing raises, every request gets an answer in time, and nothing is left.
        """
        octets = bytearray(TALK)
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(octets)))
            piece = data.draw(st.binary(max_size=12))
            octets[at : at + data.draw(st.integers(0, 12))] = piece
        self.setUp()
        asked = [self.connect("a:1"), self.connect("b:1")]
        hop = self.hop(RawHop())
        cut = data.draw(st.integers(0, len(octets)))
        for piece in (octets[:cut], octets[cut:]):
            hop.transport.write(bytes(piece))
            self.flush()
        for dial in self.way.dials[1:]:
            if not dial.result.called:
                dial.fail()
        for each in asked:
            each.addErrback(lambda failure: failure.trap(Refused) and None)
            each.cancel()
        for protocol in self.built:
            protocol.transport.abortConnection()
        self.upstream.stop()
        self.flush()
        hop.transport.abortConnection()
        self.assertNothingLeft()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_manyOctets(self) -> None:
        """
        What is held of an answer that goes on and on is bounded: the frame is not taken.
        """
        connecting = self.connect()
        hop = self.hop(RawHop())
        hop.greet()
        head = formatFrame(FrameType.HEADERS, 0, 1, bytes(16384))
        hop.transport.write(head + formatFrame(FrameType.CONTINUATION, 0, 1, bytes(16384)) * 40)
        self.flush()
        self.refused(connecting, "next_hop_protocol_error")
        self.assertEqual(hop.goodbyes, [11])
