package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func fill(topic string) string {
	return strings.NewReplacer("{gate}", "lane-1", "{stream}", "crossing").Replace(topic)
}

// FuzzVerify accepts nothing but what was signed.
func FuzzVerify(f *testing.F) {
	k := testSigner("ack-1", RoleAck)
	msg, err := Sign(k, testHeader(), []byte(`{"cum":9}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(msg)
	f.Add(rawMessage(k, `{"alg":"none"}`))
	f.Add([]byte(".."))
	ring := testRing(f, k)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := ring.Verify(b, testWant()); err == nil && !bytes.Equal(b, msg) {
			t.Fatalf("accepted %q", b)
		}
	})
}

// FuzzDelta opens whatever stands under the right key.
func FuzzDelta(f *testing.F) {
	f.Add([]byte(`[{"op":"put","account":"a","ver":1}]`), 1)
	f.Add([]byte(`[null]`), 1)
	f.Add([]byte(`[{"decision":{}},{}]`), 2)
	key := [32]byte{3}
	f.Fuzz(func(t *testing.T, plain []byte, n int) {
		d := Delta{Epoch: 1, First: 1, N: n, Key: "g1"}
		var err error
		if d.Sealed, err = seal(key, d.aad(), plain); err != nil {
			t.Fatal(err)
		}
		entries, err := d.Open(key)
		if err == nil && len(entries) != n {
			t.Fatalf("%d entries, want %d", len(entries), n)
		}
		for _, e := range entries {
			_ = e.Change.Check()
		}
	})
}

// FuzzBundle accepts only the pinned root's bundle.
func FuzzBundle(f *testing.F) {
	b, file := testBundle(f)
	f.Add(file)
	f.Add([]byte(`{"format":"bordergate-hq-bundle","signed":".."}`))
	print := Fingerprint(b.Root)
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := ParseBundle(in, print)
		if err != nil {
			return
		}
		want, _ := json.Marshal(b)
		if have, _ := json.Marshal(got); !bytes.Equal(have, want) {
			t.Fatalf("accepted another bundle: %s", have)
		}
	})
}

// FuzzRecords decodes a batch; what passes forms a chain.
func FuzzRecords(f *testing.F) {
	seed, err := json.Marshal(testRecords(f, 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"stream":"crossing","n":1,"records":[""]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := Decode[Records](in)
		if err != nil {
			return
		}
		recs, hashes, err := r.Check("lane-1", StreamCrossing)
		if err != nil {
			return
		}
		for i := range recs {
			again, err := recs[i].Encode()
			if err != nil || HashOf(again) != hashes[i] {
				t.Fatalf("record %d does not encode to what was read: %v", i, err)
			}
		}
	})
}

// FuzzRecord reads one encoding; what is read encodes to the same bytes.
func FuzzRecord(f *testing.F) {
	f.Add(testRecords(f, 1).Records[0])
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := DecodeRecord(in)
		if err != nil {
			return
		}
		if out, err := r.Encode(); err != nil || !bytes.Equal(out, in) {
			t.Fatalf("encodes to other bytes: %v", err)
		}
	})
}

// FuzzTopic accepts only topics that its parts give again.
func FuzzTopic(f *testing.F) {
	for _, k := range Kinds() {
		for _, topic := range k.Topics {
			f.Add(fill(topic))
		}
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseTopic(in)
		if err == nil && got.Gate != "" && !ValidGateID(got.Gate) {
			t.Fatalf("gate %q", got.Gate)
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	k := testSigner("lane-1-1", RoleGate)
	c := Checkpoint{Gate: "lane-1", Epoch: 7}
	for _, s := range Streams() {
		c.Streams = append(c.Streams, Stand{Name: s.String(), First: 1, Next: 3})
	}
	good, err := SignCheckpoint(k, c)
	if err != nil {
		f.Fatal(err)
	}
	ring, err := NewKeyring(k.Public())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("e30.e30.e30"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		_, got, err := ParseCheckpoint(msg, ring)
		if err == nil && !reflect.DeepEqual(got, c) {
			t.Fatalf("another checkpoint verifies: %+v", got)
		}
		if _, got, err := ParseCheckpoint(msg, nil); err == nil && (len(got.Streams) != len(Streams()) || got.Streams[0].Next < got.Streams[0].First) {
			t.Fatalf("read %+v", got)
		}
	})
}
