package modbus

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"bordergate/hal/turnstile"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// seal appends the checksum to a frame of a test.
func seal(p []byte) []byte {
	c := crc16(p)
	return append(bytes.Clone(p), byte(c), byte(c>>8))
}

// The frames that vendors publish.
func TestRequestsEqualPublishedFrames(t *testing.T) {
	for _, c := range []struct {
		unit, fn  byte
		addr, val uint16
		want      string
	}{
		{1, 5, 0, 0xFF00, "01 05 00 00 FF 00 8C 3A"},
		{1, 5, 0, 0, "01 05 00 00 00 00 CD CA"},
		{1, 5, 0x0200, 7, "01 05 02 00 00 07 8D B0"},
		{1, 1, 0, 8, "01 01 00 00 00 08 3D CC"},
		{1, 2, 0, 8, "01 02 00 00 00 08 79 CC"},
		{255, 5, 0, 0xFF00, "FF 05 00 00 FF 00 99 E4"},
		{255, 2, 0, 8, "FF 02 00 00 00 08 6C 12"},
		{1, 5, 1, 0x0100, "01 05 00 01 01 00 9D 9A"},
		{1, 6, 0, 1, "01 06 00 00 00 01 48 0A"},
	} {
		if got := request(c.unit, c.fn, c.addr, c.val); !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("got % X, want %s", got, c.want)
		}
	}
}

func TestRegisterRequestsEqualPublishedFrames(t *testing.T) {
	for _, c := range []struct {
		addr, val uint16
		want      string
	}{
		{0x40, 1, "01 10 00 40 00 01 02 00 01 69 50"},
		{0x3000, 2, "01 10 30 00 00 01 02 00 02 17 92"},
	} {
		if got := requestMany(1, c.addr, []uint16{c.val}); !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("got % X, want %s", got, c.want)
		}
	}
	if got := request(1, ReadHolding, 0x40, 9); !bytes.Equal(got, unhex(t, "01 03 00 40 00 09 84 18")) {
		t.Errorf("got % X", got)
	}
}

func TestParseReply(t *testing.T) {
	read, write := request(1, 2, 0, 16), request(1, 5, 0x0200, 3)
	good := seal([]byte{1, 2, 2, 0xEC, 0x01})
	flip := func(p []byte, i int) []byte { q := bytes.Clone(p); q[i] ^= 0x10; return q }
	for name, c := range map[string]struct {
		req, p []byte
		data   []byte
		done   bool
		err    error
	}{
		"read":             {read, good, []byte{0xEC, 0x01}, true, nil},
		"nothing yet":      {read, nil, nil, false, nil},
		"part":             {read, good[:6], nil, false, nil},
		"checksum":         {read, flip(good, 3), nil, true, turnstile.ErrGarbled},
		"other unit":       {read, seal([]byte{2, 2, 2, 0, 0}), nil, true, turnstile.ErrGarbled},
		"other function":   {read, seal([]byte{1, 1, 2, 0, 0}), nil, true, turnstile.ErrGarbled},
		"too long":         {read, append(bytes.Clone(good), 0), nil, true, turnstile.ErrGarbled},
		"wrong count":      {read, seal([]byte{1, 2, 3, 0, 0}), nil, true, turnstile.ErrGarbled},
		"a lying count":    {read, seal([]byte{1, 2, 255, 0, 0}), nil, true, turnstile.ErrGarbled},
		"exception":        {read, seal([]byte{1, 0x82, 2}), nil, true, refusal(2, 2)},
		"late exception":   {write, seal([]byte{1, 0x82, 2}), nil, false, nil},
		"write":            {write, write, nil, true, nil},
		"write of other":   {write, request(1, 5, 0x0201, 3), nil, true, turnstile.ErrGarbled},
		"registers":        {request(1, 4, 0, 2), seal([]byte{1, 4, 4, 0, 1, 0, 0}), []byte{0, 1, 0, 0}, true, nil},
		"broken refusal":   {write, []byte{1, 0x85, 2, 0, 0, 0, 0, 0}, nil, true, turnstile.ErrGarbled},
		"refusal and more": {write, append(seal([]byte{1, 0x85, 2}), 9), nil, true, turnstile.ErrGarbled},
	} {
		data, done, err := parseReply(c.req, c.p)
		if !bytes.Equal(data, c.data) || done != c.done || !errors.Is(err, c.err) {
			t.Errorf("%s: % X, %v, %v", name, data, done, err)
		}
	}
}

// FuzzReply holds that nothing on the wire can crash the master, make it wait
// for more than the request allows, or be believed without its checksum.
func FuzzReply(f *testing.F) {
	for _, p := range [][]byte{
		nil,
		{1, 2},
		seal([]byte{1, 2, 2, 0xEC, 1}), seal([]byte{1, 0x82, 2}), request(1, 5, 0x200, 3),
		{1, 2, 255, 255, 255},
		bytes.Repeat([]byte{1, 0x85}, 200),
	} {
		f.Add(byte(2), uint16(0), uint16(16), p)
		f.Add(byte(5), uint16(0x200), uint16(3), p)
	}
	f.Fuzz(func(t *testing.T, fn byte, addr, val uint16, p []byte) {
		fn = 1 + fn%7
		if fn <= 4 {
			val = 1 + val%32
		}
		req := request(1, fn, addr, val)
		if fn == 7 {
			req = requestMany(1, addr, make([]uint16, 1+val%8))
		}
		data, done, err := parseReply(req, p)
		if !done && len(p) >= max(replyLen(req), 8) {
			t.Fatal("waits for more than the answer")
		}
		if done && err == nil && !frameOK(p) {
			t.Fatal("believed without a checksum")
		}
		if data != nil && len(data) != replyLen(req)-5 {
			t.Fatalf("%d bytes of data", len(data))
		}
	})
}
