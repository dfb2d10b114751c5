package scanner

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/hal"
)

const ms = hal.Mono(time.Millisecond)

// arrival is bytes at a time, in milliseconds.
type arrival struct {
	at   int
	text string
}

// play feeds arrivals, then lets an hour pass.
func play(p parser, list []arrival) (out []string, answer []byte) {
	show := func(frames []frame) {
		for _, f := range frames {
			if f.fault != nil {
				out = append(out, "!"+f.fault.Error())
				continue
			}
			mark := ""
			if f.unframed {
				mark = "~"
			}
			out = append(out, mark+f.aim+"|"+string(f.payload))
		}
	}
	for _, a := range list {
		frames, reply := p.feed(hal.Mono(a.at)*ms, []byte(a.text))
		show(frames)
		answer = append(answer, reply...)
	}
	show(p.tick(hal.Mono(time.Hour)))
	return out, answer
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", MaxScan)
	cut, tooLong, prefix, escape := "!"+ErrTruncated.Error(), "!"+ErrTooLong.Error(), "!"+ErrPrefix.Error(), "!"+ErrEscape.Error()
	for name, c := range map[string]struct {
		aim  bool
		mode Framing
		in   []arrival
		want []string
	}{
		"cr":          {false, Suffix, []arrival{{0, "RDB1ABC\r"}}, []string{"|RDB1ABC"}},
		"cr lf":       {false, Suffix, []arrival{{0, "A\r\nB\r\n"}}, []string{"|A", "|B"}},
		"late lf":     {false, Suffix, []arrival{{0, "A\r"}, {2000, "\nB\r"}}, []string{"|A", "|B"}},
		"own lf":      {false, Suffix, []arrival{{0, "\nA\nB\r"}}, []string{"|\nA\nB"}},
		"empty":       {false, Suffix, []arrival{{0, "\r\r\n\r"}}, nil},
		"bytes":       {false, Suffix, []arrival{{0, "\x00\xDC\x03"}, {10, "\x11\x13\xFF\r"}}, []string{"|\x00\xDC\x03\x11\x13\xFF"}},
		"one by one":  {false, Suffix, []arrival{{0, "A"}, {299, "B"}, {598, "\r"}}, []string{"|AB"}},
		"stops":       {false, Suffix, []arrival{{0, "AB"}}, []string{cut}},
		"rest":        {false, Suffix, []arrival{{0, "AB"}, {400, "CD\r"}, {500, "E\r"}}, []string{cut, "|E"}},
		"next scan":   {false, Suffix, []arrival{{0, "AB"}, {2000, "CD\r"}}, []string{cut, "|CD"}},
		"long":        {false, Suffix, []arrival{{0, long + "\r"}}, []string{"|" + long}},
		"too long":    {false, Suffix, []arrival{{0, long + "xy\rA\r"}}, []string{tooLong, "|A"}},
		"aim":         {true, Suffix, []arrival{{0, "]Q1DATA\r]d1M\r]C0\r"}}, []string{"]Q1|DATA", "]d1|M", "]C0|"}},
		"no aim":      {true, Suffix, []arrival{{0, "DATA\r]Q1A\r]q\r]..x\r"}}, []string{prefix, "]Q1|A", prefix, prefix}},
		"not asked":   {false, Suffix, []arrival{{0, "]Q1DATA\r"}}, []string{"|]Q1DATA"}},
		"eci":         {true, Suffix, []arrival{{0, `]Q2\000003a\\b\000026c` + "\r"}}, []string{`]Q2|a\bc`}},
		"bad eci":     {true, Suffix, []arrival{{0, `]Q2\00003a` + "\r" + `]Q2a\` + "\r"}}, []string{escape, escape}},
		"no escape":   {true, Suffix, []arrival{{0, `]Q1\000003a` + "\r"}}, []string{`]Q1|\000003a`}},
		"idle":        {false, Idle, []arrival{{0, "A\rB"}, {299, "\r\n"}, {700, "C"}}, []string{"~|A\rB\r\n", "~|C"}},
		"idle long":   {false, Idle, []arrival{{0, long + "x"}, {100, "y"}, {2000, "A"}}, []string{tooLong, "~|A"}},
		"idle prefix": {true, Idle, []arrival{{0, "]Q1A"}}, []string{"~]Q1|A"}},
	} {
		p := &lineParser{framing: c.mode, aim: c.aim, gap: 300 * time.Millisecond}
		if got, _ := play(p, c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s: %.200q, want %.200q", name, got, c.want)
		}
	}
}

func TestAIM(t *testing.T) {
	for text, want := range map[string]aimID{
		"]Q1x": {"]Q1", "qr", false}, "]Q2x": {"]Q2", "qr", true}, "]d1x": {"]d1", "datamatrix", false}, "]d4": {"]d4", "datamatrix", true},
		"]z0": {"]z0", "aztec", false}, "]z3": {"]z3", "aztec", true}, "]L1": {"]L1", "pdf417", true}, "]C0": {"]C0", "code128", false},
		"]X0": {"]X0", "", false},
	} {
		if got, ok := parseAIM([]byte(text)); !ok || got != want {
			t.Errorf("%s: %+v %v", text, got, ok)
		}
	}
}

// decoded is a packet from the scanner.
func decoded(status byte, data string) string {
	b := append([]byte{byte(ssiHead + len(data)), ssiDecode, ssiDecoder, status}, data...)
	sum := ssiSum(b)
	return string(append(b, byte(sum>>8), byte(sum)))
}

func TestSSI(t *testing.T) {
	ack, nak := string(ssiPacket(ssiAck)), string(ssiPacket(ssiNak, 1))
	cut, damaged := "!"+ErrTruncated.Error(), "!"+ErrPacket.Error()
	one := decoded(0, "\x1CPASS\r\x00\xFF")
	for name, c := range map[string]struct {
		once   bool
		in     []arrival
		want   []string
		answer string
	}{
		"one":        {false, []arrival{{0, one}}, []string{"|PASS\r\x00\xFF"}, ack},
		"in pieces":  {false, []arrival{{0, one[:1]}, {200, one[1:5]}, {400, one[5:]}}, []string{"|PASS\r\x00\xFF"}, ack},
		"two":        {false, []arrival{{0, one + decoded(0, "\x1CB")}}, []string{"|PASS\r\x00\xFF", "|B"}, ack + ack},
		"continued":  {false, []arrival{{0, decoded(2, "\x1CAB")}, {500, decoded(0, "\x1CCD")}}, []string{"|ABCD"}, ack + ack},
		"type once":  {true, []arrival{{0, decoded(2, "\x1CAB")}, {100, decoded(0, "CD")}}, []string{"|ABCD"}, ack + ack},
		"resent":     {false, []arrival{{0, decoded(2, "\x1CAB") + decoded(3, "\x1CAB") + decoded(0, "\x1CCD")}}, []string{"|ABCD"}, ack + ack + ack},
		"lost first": {false, []arrival{{0, decoded(1, "\x1CAB")}}, []string{"|AB"}, ack},
		"no end":     {false, []arrival{{0, decoded(2, "\x1CAB")}, {3000, decoded(0, "\x1CCD")}}, []string{cut, "|CD"}, ack + ack},
		"cut":        {false, []arrival{{0, one[:6]}, {400, one}}, []string{cut, "|PASS\r\x00\xFF"}, ack},
		"checksum":   {false, []arrival{{0, one[:8] + "X" + one[9:]}, {10, one}}, []string{damaged, "|PASS\r\x00\xFF"}, nak + ack},
		"noise":      {false, []arrival{{0, "\x00\x01"}, {10, one}}, []string{damaged, "|PASS\r\x00\xFF"}, nak + ack},
		"answers":    {false, []arrival{{0, "\x04\xD0\x00\x00\xFF\x2C"}}, nil, ""},
	} {
		p := &ssiParser{gap: 300 * time.Millisecond, once: c.once}
		got, answer := play(p, c.in)
		if !slices.Equal(got, c.want) || string(answer) != c.answer {
			t.Errorf("%s: %q, answer % X; want %q, % X", name, got, answer, c.want, c.answer)
		}
	}
	big := make([]arrival, 0, 40)
	for range 40 {
		big = append(big, arrival{0, decoded(2, "\x1C"+strings.Repeat("x", 240))})
	}
	for i := range big { // each different, or it would be a repetition
		big[i].text = decoded(2, fmt.Sprintf("\x1C%03d%s", i, strings.Repeat("x", 237)))
	}
	if got, _ := play(&ssiParser{gap: 300 * time.Millisecond}, big); len(got) == 0 || got[0] != "!"+ErrTooLong.Error() {
		t.Errorf("too long: %.80q", got)
	}
}

// TestPackets holds the bytes of the maker's guide.
func TestPackets(t *testing.T) {
	for name, c := range map[string]struct{ got, want []byte }{
		"ack":   {ssiPacket(ssiAck), []byte{0x04, 0xD0, 0x04, 0x00, 0xFF, 0x28}},
		"nak":   {ssiPacket(ssiNak, 1), []byte{0x05, 0xD1, 0x04, 0x00, 0x01, 0xFF, 0x25}},
		"start": {ssiPacket(ssiStart), []byte{0x04, 0xE4, 0x04, 0x00, 0xFF, 0x14}},
		"stop":  {ssiPacket(ssiStop), []byte{0x04, 0xE5, 0x04, 0x00, 0xFF, 0x13}},
		"honeywell": {
			slices.Concat(Options{Dialect: Honeywell}.commands().trigger, Options{Dialect: Honeywell}.commands().release),
			[]byte{0x16, 0x54, 0x0D, 0x16, 0x55, 0x0D},
		},
		"revision":  {Options{Dialect: Honeywell}.commands().query, []byte("\x16\x4D\x0DREVINF.")},
		"datalogic": {Options{Dialect: Datalogic}.commands().trigger, []byte("T")},
		"newland":   {Options{Dialect: Newland, NewlandTrigger: "SCNTRG"}.commands().trigger, []byte("~\x010000#SCNTRG1;\x03")},
		"none":      {Options{Dialect: Newland}.commands().trigger, nil},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s: % X, want % X", name, c.got, c.want)
		}
	}
	for d := range dialectEnd {
		if got, err := ParseDialect(d.String()); got != d || err != nil {
			t.Errorf("%v: %v %v", d, got, err)
		}
	}
	if _, err := ParseDialect("wedge"); err == nil {
		t.Error("a keyboard was taken")
	}
}

// FuzzStream feeds any bytes in any pieces to every parser. A scan is bounded,
// memory is, and a plain scan with a suffix stands in the stream as it is.
func FuzzStream(f *testing.F) {
	f.Add([]byte("]Q1RDB1BNK2\r\n]Q2a\\\\b\\000026\r"), byte(7), byte(0))
	f.Add([]byte(decoded(2, "\x1CAB")+decoded(0, "\x1CCD")), byte(3), byte(9))
	f.Add(bytes.Repeat([]byte("x"), MaxScan+2), byte(255), byte(1))
	f.Fuzz(func(t *testing.T, b []byte, step, pause byte) {
		if len(b) > 4*MaxScan {
			t.Skip() // longer is the same again
		}
		for i, p := range []parser{
			&lineParser{gap: 300 * time.Millisecond},
			&lineParser{gap: 300 * time.Millisecond, aim: true},
			&lineParser{gap: 100 * time.Millisecond, framing: Idle},
			&ssiParser{gap: 300 * time.Millisecond},
			&ssiParser{gap: 300 * time.Millisecond, once: true},
		} {
			now, rest := hal.Mono(0), b
			var frames []frame
			for len(rest) > 0 {
				n := min(int(step)+1, len(rest))
				fs, answer := p.feed(now, rest[:n])
				if len(answer) > 8*(n+1) {
					t.Fatalf("parser %d answers %d bytes to %d", i, len(answer), n)
				}
				frames, rest = append(frames, fs...), rest[n:]
				now += hal.Mono(pause) * 10 * ms
			}
			frames = append(frames, p.tick(now+hal.Mono(time.Hour))...)
			if _, waiting := p.deadline(); waiting {
				t.Errorf("parser %d still waits after an hour", i)
			}
			from := 0 // scans stand in the stream in order
			for _, fr := range frames {
				at := bytes.Index(b[from:], fr.payload)
				switch {
				case fr.fault != nil && fr.payload != nil:
					t.Errorf("parser %d hands on a spoilt scan", i)
				case len(fr.payload) > MaxScan:
					t.Errorf("parser %d: %d bytes", i, len(fr.payload))
				case i == 0 && (at < 0 || bytes.ContainsRune(fr.payload, '\r')):
					t.Errorf("a scan that is not in the stream")
				}
				from += max(at, 0)
			}
		}
	})
}
