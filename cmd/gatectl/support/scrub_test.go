package support

import (
	"strings"
	"testing"
)

func TestTextKeepsWordsAndTakesWhatNames(t *testing.T) {
	for in, want := range map[string]string{
		"open serial line /dev/gate/barrier: no such file or directory (plug the adapter in)": "open serial line /dev/gate/barrier: no such file or directory (plug the adapter in)",
		"poll took 21.5 ms, 3 of 200":                                        "poll took 21.5 ms, 3 of 200",
		"rtsp://admin:s3cret@10.0.0.7/face":                                  "rtsp://[…]@10.0.0.7/face",
		"http://cam/face?token=abc&x=1":                                      "http://cam/face?[…]",
		"pass C1234567 of account 001199000123 is":                           "pass […] of account […] is",
		"holder \"Trần Thị B\" seen":                                         `holder "[…]" seen`,
		"mail tran@example.vn please":                                        "mail […] please",
		"NGUYEN<<VAN<A on it":                                                "[…] on it",
		"key " + strings.Repeat("ab12", 8) + " and":                          "key […] and",
		"-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\nrest": "[…]\nrest",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

func TestJSONKeepsItsForm(t *testing.T) {
	got, err := JSON([]byte(`{"tx":"0123456789abcdef0123456789abcdef","reasons":["watchlist","face_none"],"n":12345678,"C1234567":{"tx":"Nguyen Van A","name":"\"Nguyen\""}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"tx": "0123456789abcdef0123456789abcdef"`, `"hidden",`, `"face_none"`, `"n": 12345678`, `"[…]": {`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "watchlist") || strings.Contains(string(got), "C1234567") {
		t.Errorf("%s", got)
	}
	if _, err := JSON([]byte("{")); err == nil {
		t.Error("half a document is scrubbed")
	}
}

func TestLogLinesKeepKnownKeys(t *testing.T) {
	got := LogLine(`time=2026-01-02T03:04:05.678+07:00 level=WARN msg="Camera is away" camera=face error="open \"/dev/x\": no such device" holder="Nguyen Van A" pass=C1234567`)
	want := `time="2026-01-02T03:04:05.678+07:00" level="WARN" msg="Camera is away" camera="face" error="open \"[…]\": no such device" holder=[…] pass=[…]`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}
