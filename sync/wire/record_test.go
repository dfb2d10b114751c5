package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"
)

func validRecord() Record {
	return Record{
		Gate: "lane-1", Epoch: 77, Stream: StreamCrossing, Seq: 12, Prev: Hash{1, 2, 3}, Boot: [16]byte{4},
		Mono: 123456789, Wall: 1790000000000000000, Trust: 1, Tx: [16]byte{9}, Kind: "decision", Simulated: true,
		Public: []byte(`{"outcome":"admitted"}`), Class: 1, Day: 20717, Sealed: []byte("ciphertext"),
	}
}

func encode(t *testing.T, r Record) []byte {
	t.Helper()
	b, err := r.Encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return b
}

func TestRecordComesBackAsItWas(t *testing.T) {
	cases := map[string]func(*Record){
		"full":           func(*Record) {},
		"real":           func(r *Record) { r.Simulated = false },
		"empty parts":    func(r *Record) { r.Public, r.Sealed, r.Class, r.Day = []byte{}, []byte{}, 0, 0 },
		"negative times": func(r *Record) { r.Mono, r.Wall = -1, -5 },
		"largest": func(r *Record) {
			r.Gate, r.Kind = strings.Repeat("g", MaxGateID), strings.Repeat("k", MaxKind)
			r.Public, r.Sealed = bytes.Repeat([]byte{'p'}, MaxPublic), bytes.Repeat([]byte{'s'}, MaxSealed)
			r.Seq, r.Epoch = 1<<64-1, 1<<64-1
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			want := validRecord()
			change(&want)
			got, err := DecodeRecord(encode(t, want))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestEncodeRefusesOutOfBounds(t *testing.T) {
	cases := map[string]func(*Record){
		"no gate":         func(r *Record) { r.Gate = "" },
		"upper-case gate": func(r *Record) { r.Gate = "Lane" },
		"topic in gate":   func(r *Record) { r.Gate = "a/b" },
		"long gate":       func(r *Record) { r.Gate = strings.Repeat("g", MaxGateID+1) },
		"no stream":       func(r *Record) { r.Stream = 0 },
		"unknown stream":  func(r *Record) { r.Stream = streamEnd },
		"sequence 0":      func(r *Record) { r.Seq = 0 },
		"no kind":         func(r *Record) { r.Kind = "" },
		"long kind":       func(r *Record) { r.Kind = strings.Repeat("k", MaxKind+1) },
		"long public":     func(r *Record) { r.Public = make([]byte, MaxPublic+1) },
		"long sealed":     func(r *Record) { r.Sealed = make([]byte, MaxSealed+1) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			r := validRecord()
			change(&r)
			if _, err := r.Encode(); !errors.Is(err, ErrRecordValue) {
				t.Errorf("got %v, want ErrRecordValue", err)
			}
		})
	}
}

// resum puts a checksum under changed bytes, so that the form behind it is
// tested.
func resum(b []byte) []byte {
	body := bytes.Clone(b[:len(b)-4])
	return binary.BigEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestDecodeRefuses(t *testing.T) {
	good := encode(t, validRecord())
	flags := bytes.Index(good, []byte("decision")) + len("decision")
	cases := map[string]struct {
		b    []byte
		want error
	}{
		"nothing":         {nil, ErrRecordShort},
		"four bytes":      {good[:4], ErrRecordShort},
		"version":         {append([]byte{2}, good[1:]...), ErrRecordVersion},
		"cut":             {good[:len(good)-1], ErrRecordCRC},
		"tail":            {append(bytes.Clone(good), 0), ErrRecordCRC},
		"tail, summed":    {resum(append(bytes.Clone(good), 0)), ErrRecordShort},
		"cut, summed":     {resum(good[:len(good)-3]), ErrRecordShort},
		"unknown flag":    {resum(set(good, flags, 2)), ErrRecordValue},
		"stream 0":        {resum(set(good, 1+1+6+8, 0)), ErrRecordValue},
		"gate id changed": {resum(set(good, 2, 'L')), ErrRecordValue},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := DecodeRecord(c.b); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func set(b []byte, i int, v byte) []byte {
	b = bytes.Clone(b)
	b[i] = v
	return b
}

func TestDecodeNoticesEveryChangedByte(t *testing.T) {
	good := encode(t, validRecord())
	for i := range good {
		if _, err := DecodeRecord(set(good, i, good[i]^0x40)); err == nil {
			t.Errorf("byte %d changed and nobody noticed", i)
		}
	}
}

func TestStreamNames(t *testing.T) {
	for _, s := range Streams() {
		got, err := ParseStream(s.String())
		if err != nil || got != s {
			t.Errorf("%s comes back as %v, %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "invalid", "Crossing", "crossing "} {
		if _, err := ParseStream(bad); err == nil {
			t.Errorf("%q is no stream", bad)
		}
	}
	if s := streamEnd.String(); s != "invalid" {
		t.Errorf("the end reads %q", s)
	}
}

// TestRecordFormIsFixed holds the encoding to what is stored at headquarters
// already: whoever changes the form needs a new version.
func TestRecordFormIsFixed(t *testing.T) {
	const want = "0272bf4a"
	r := validRecord()
	if got := HashOf(encode(t, r)).String()[:8]; got != want {
		t.Errorf("hash of the sample record begins %s, want %s", got, want)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	r := validRecord()
	good, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte{})
	r.Public, r.Sealed = nil, nil
	if good, err = r.Encode(); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 5 {
			b = resum(b) // else the checksum hides everything behind it
		}
		r, err := DecodeRecord(b)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatalf("decoded record does not encode: %v", err)
		}
		if !bytes.Equal(again, b) {
			t.Fatal("a record has two encodings")
		}
	})
}
