"""
Tests for L{connectproxy.errors}: the table has no gap, and says what the RFCs say.
"""

from __future__ import annotations

from http import HTTPStatus

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Kind, Refusal, Refused

ERROR_TYPES = {
    "dns_timeout": 504,
    "dns_error": 502,
    "destination_not_found": 500,
    "destination_unavailable": 503,
    "destination_ip_prohibited": 502,
    "destination_ip_unroutable": 502,
    "connection_refused": 502,
    "connection_terminated": 502,
    "connection_timeout": 504,
    "connection_read_timeout": 504,
    "connection_write_timeout": 504,
    "connection_limit_reached": 503,
    "tls_protocol_error": 502,
    "tls_certificate_error": 502,
    "tls_alert_received": 502,
    "http_request_error": None,
    "http_request_denied": 403,
    "http_response_incomplete": 502,
    "http_response_header_section_size": 502,
    "http_response_header_size": 502,
    "http_response_body_size": 502,
    "http_response_trailer_section_size": 502,
    "http_response_trailer_size": 502,
    "http_response_transfer_coding": 502,
    "http_response_content_coding": 502,
    "http_response_timeout": 504,
    "http_upgrade_failed": 502,
    "http_protocol_error": 502,
    "proxy_internal_response": None,
    "proxy_internal_error": 500,
    "proxy_configuration_error": 500,
    "proxy_loop_detected": 502,
}
"""RFC 9209 section 2.3: the error types that are registered, each with the status that it
recommends; L{None} where it leaves the choice."""

STREAM_ERRORS = {
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
}
"""RFC 9113 section 7."""


class TableTests(SynchronousTestCase):
    """
    Each test looks at every row: a new one is covered by being there.
    """

    def test_everyColumnIsFilled(self) -> None:
        """
        No column of any row is empty, and each has the type that it declares.
        """
        for row in KINDS.values():
            for column, type_ in (
                ("name", str),
                ("status", int),
                ("proxyStatus", str),
                ("socks5", int),
                ("socks4", int),
                ("h2", str),
                ("cause", str),
                ("remedy", str),
            ):
                value = getattr(row, column)
                self.assertIs(type(value), type_, f"{row.name}.{column}")
                self.assertTrue(value, f"{row.name}.{column}")

    def test_everyColumnIsChecked(self) -> None:
        """
        The test before this one names every column there is.
        """
        self.assertEqual(
            Kind._fields,
            ("name", "status", "proxyStatus", "socks5", "socks4", "h2", "cause", "remedy"),
        )

    def test_names(self) -> None:
        """
        A row is found by its name, which is fit for a metric's label, and no two rows
        are called the same.
        """
        for name, row in KINDS.items():
            self.assertEqual(row.name, name)
            self.assertRegex(name, r"\A[a-z]+(_[a-z]+)*\Z")

    def test_table(self) -> None:
        """
        Nobody can change it while the proxy runs.
        """
        with self.assertRaises(TypeError):
            KINDS["http_request_error"] = KINDS["dns_error"]  # type: ignore[index]
        with self.assertRaises(AttributeError):
            KINDS["dns_error"].status = 200  # type: ignore[misc]

    def test_statuses(self) -> None:
        """
        Every status is an error, one that HTTP has a name for, and never one that is for an
        origin to say.  407 is for credentials alone, and no other denial.
        """
        for row in KINDS.values():
            self.assertTrue(400 <= row.status <= 599, row.name)
            # RFC 9110 has renamed one, and Python with it, but not in every release.
            phrase = "URI Too Long" if row.status == 414 else HTTPStatus(row.status).phrase
            self.assertEqual(row.reason, phrase)
            self.assertNotIn(row.status, (401, 404, 418, 421), row.name)
            self.assertEqual(row.status == 407, row.name == "proxy_authentication_required", row.name)

    def test_proxyStatusIsRegistered(self) -> None:
        """
        The error type is one of those that RFC 9209 registers, the most specific one: that
        of the same name where there is one (conformance 63).
        """
        for row in KINDS.values():
            self.assertIn(row.proxyStatus, ERROR_TYPES, row.name)
            if row.name in ERROR_TYPES:
                self.assertEqual(row.proxyStatus, row.name)

    def test_recommendedStatuses(self) -> None:
        """
        The status is the one that RFC 9209 recommends for the error type; the exceptions
        are these, and any 4xx for a request's fault (conformance 63 and 17).
        """
        others = {
            # A refusal by policy is no gateway failure.
            "destination_ip_prohibited": 403,
            # What a client does about it is another thing than after a denial (RFC 9110 section 15.5.8).
            "proxy_authentication_required": 407,
            # It is over soon, which 500 would not say.
            "proxy_exhausted": 503,
            "quota_unavailable": 503,
            # No request of the client's is at fault, nor is it over soon: another proxy is not as it should be.
            "next_hop_authentication_failed": 502,
            "next_hop_failed": 502,
            # What it says of requests that came too fast is for who has sent them.
            "next_hop_limit_reached": 429,
        }
        for row in KINDS.values():
            recommended = others.get(row.name, ERROR_TYPES[row.proxyStatus])
            if recommended is not None:
                self.assertEqual(row.status, recommended, row.name)
            elif row.proxyStatus == "http_request_error":
                self.assertIn(row.status, (400, 408, 414, 431), row.name)
            else:
                self.assertIn(row.status, (429, 501, 503, 505), row.name)

    def test_statusOfEachCause(self) -> None:
        """
        The status of each cause, as our conformance page publishes it (conformance 17).
        """
        expected = {
            "http_request_error": 400,
            "http_request_line_too_long": 414,
            "http_request_fields_too_large": 431,
            "http_request_timeout": 408,
            "http_request_denied": 403,
            "proxy_authentication_required": 407,
            "http_method_not_implemented": 501,
            "http_transfer_coding_unsupported": 501,
            "http_scheme_not_supported": 501,
            "http_protocol_error": 502,
            "http_response_header_section_size": 502,
            "http_response_transfer_coding": 502,
            "http_response_incomplete": 502,
            "http_response_timeout": 504,
            "http_upgrade_failed": 502,
            "destination_ip_prohibited": 403,
            "dns_error": 502,
            "dns_timeout": 504,
            "connection_refused": 502,
            "destination_ip_unroutable": 502,
            "connection_timeout": 504,
            "connection_limit_reached": 503,
            "proxy_exhausted": 503,
            "proxy_loop_detected": 502,
            "next_hop_protocol_error": 502,
            "next_hop_denied": 403,
            "next_hop_authentication_failed": 502,
            "next_hop_limit_reached": 429,
            "next_hop_unavailable": 503,
            "next_hop_timeout": 504,
            "next_hop_failed": 502,
            "next_hop_gone": 502,
            "next_hop_silent": 504,
            "upstream_unavailable": 503,
            "tls_protocol_error": 502,
            "tls_certificate_error": 502,
            "tls_alert_received": 502,
        }
        self.assertEqual({name: KINDS[name].status for name in expected}, expected)

    def test_socks(self) -> None:
        """
        The replies are those of RFC 1928 section 6: 2 by ruleset, 3 network and 4 host
        unreachable, 5 refused, 6 for time that has run out, 7 command and 8 address type not
        supported, and 1 for the rest; SOCKS 4 has one for all of them, since what others it
        has are about identd (conformance 72 and 76).
        """
        expected = {
            "http_request_denied": 2,
            "next_hop_denied": 2,
            "next_hop_timeout": 6,
            "next_hop_silent": 6,
            "proxy_authentication_required": 2,
            "login_limit_reached": 2,
            "quota_exceeded": 2,
            "destination_ip_prohibited": 2,
            "proxy_loop_detected": 2,
            "destination_ip_unroutable": 3,
            "destination_unavailable": 4,
            "dns_error": 4,
            "dns_timeout": 4,
            "connection_refused": 5,
            "connection_timeout": 6,
            "http_method_not_implemented": 7,
            "socks_command_not_supported": 7,
            "socks_address_type_not_supported": 8,
        }
        for row in KINDS.values():
            self.assertEqual(row.socks5, expected.get(row.name, 1), row.name)
            self.assertEqual(row.socks4, 91, row.name)

    def test_streamErrors(self) -> None:
        """
        The error codes of a stream are RFC 9113's, and none says that all is well.
        """
        for row in KINDS.values():
            self.assertIn(row.h2, STREAM_ERRORS - {"NO_ERROR"}, row.name)

    def test_sentences(self) -> None:
        """
        Cause and remedy are a sentence each, in printable ASCII, and do not repeat what
        another row says.
        """
        for column in ("cause", "remedy"):
            for row in KINDS.values():
                text = getattr(row, column)
                self.assertRegex(text, r"\A[A-Z][ -~]+[^.]\.\Z", row.name)
        self.assertEqual(len({row.cause for row in KINDS.values()}), len(KINDS))


class RefusalTests(SynchronousTestCase):
    """
    The value, and the exception that carries it.
    """

    def test_row(self) -> None:
        """
        A refusal leads to its row.
        """
        refusal = Refusal("dns_error", "the name db.example has no address")
        self.assertIs(refusal.row, KINDS["dns_error"])
        self.assertEqual(refusal.row.reason, "Bad Gateway")

    def test_little(self) -> None:
        """
        Nothing but the kind is needed.
        """
        self.assertEqual(Refusal("dns_error"), ("dns_error", "", "", "", (), 0, ""))

    def test_unknownKind(self) -> None:
        """
        A kind without a row is our own bug, and raises.
        """
        with self.assertRaises(KeyError):
            Refusal("nonsense").row  # noqa: B018 - looking is the test

    def test_refusedKeeps(self) -> None:
        """
        The exception keeps the refusal, every attempt and the time of the look-up, also
        through a L{Failure}, and its text has the kind and the detail.
        """
        refusal = Refusal("connection_refused", "host.example:443 refused the connection")
        tried = (("192.0.2.1", "connection_refused", 0.25),)
        failure = Failure(Refused(refusal, tried, 12.5))
        self.assertIs(failure.value.refusal, refusal)
        self.assertIs(failure.value.tried, tried)
        self.assertEqual(failure.value.resolved, 12.5)
        self.assertEqual(
            failure.value.args, ("connection_refused", "host.example:443 refused the connection")
        )

    def test_refusedBeforeAnyAttempt(self) -> None:
        """
        Where nothing was tried, that is what it says; and nobody is named.
        """
        refused = Refused(Refusal("dns_error"))
        self.assertEqual((refused.tried, refused.resolved, refused.hop, refused.member), ((), 0.0, "", ""))

    def test_refusedBy(self) -> None:
        """
        It says which upstream is at fault, and which one a group had chosen.
        """
        refused = Refused(Refusal("next_hop_gone"), hop="corp", member="office")
        self.assertEqual((refused.hop, refused.member), ("corp", "office"))
