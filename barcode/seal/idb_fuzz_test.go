package seal

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzIDB holds that any text gives a seal or ErrFormat, that a seal's parts
// are those of the payload, and that no seal is believed that was not signed
// here.
func FuzzIDB(f *testing.F) {
	a := authority(f)
	for _, o := range []TextOptions{{}, {Zip: true}, {ShortDate: true}, {Embed: true}, {Zip: true, Embed: true}} {
		f.Add([]byte(text(f, a, o)))
	}
	f.Add([]byte(unsigned(f, a)))
	for _, s := range realTexts() {
		f.Add([]byte(s))
	}
	trust := NewTrust(nil, TrustOptions{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !isIDB(raw) {
			raw = append([]byte("RDB1"), raw...)
		}
		s, err := Parse(raw)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		checkText(t, s)
		if got := trust.Verify(s, now); got.Valid() {
			t.Fatal("believed without a certificate")
		}
	})
}

// FuzzPayload gives the payload itself, which a fuzzer reaches badly through
// base32 and zip.
func FuzzPayload(f *testing.F) {
	a := authority(f)
	for _, o := range []TextOptions{{}, {ShortDate: true}, {Embed: true}} {
		f.Add(payloadOf(f, text(f, a, o)), true)
	}
	for _, s := range realTexts() {
		f.Add(payloadOf(f, s), true)
	}
	f.Add(payloadOf(f, unsigned(f, a)), false)
	f.Fuzz(func(t *testing.T, payload []byte, signed bool) {
		s, err := parsePayload(payload, signed)
		if err == nil {
			checkText(t, s)
		} else if !errors.Is(err, ErrFormat) {
			t.Fatalf("an error of another kind: %v", err)
		}
	})
}

// FuzzInflate holds the limit.
func FuzzInflate(f *testing.F) {
	f.Add(zipped(f, []byte("payload")))
	f.Add(zipped(f, make([]byte, 1<<20)))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := inflate(b)
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		if len(out) > MaxInflated {
			t.Fatalf("%d bytes", len(out))
		}
	})
}

// checkText writes the messages again: they are the end of what is signed.
func checkText(t *testing.T, s *Seal) {
	t.Helper()
	var group []byte
	for _, m := range s.Messages {
		group = appendValue(group, m.Tag, m.Value)
	}
	if !bytes.HasSuffix(s.signed, appendValue(nil, idbMessages, group)) {
		t.Error("the messages are not what is signed")
	}
}

// realTexts are two real IDBs (tsenger/vdstools, Apache-2.0) as fuzzing seeds.
func realTexts() []string {
	return []string{
		"RDB1BNK6ADJL2PECXOABAHIMWCFMCAYQDQM3TI2XIGCCZ5EQDQM3TNUSIMAIQP5AIZJ6II7FQTQ2UNWUMTMXIXETVCSSXKBK7RFWGXX3JBLHXTPV26M2GBN42UWTEQB45P4C4X7JK5WI2VQW5IBV3YNDPHELTYIU54PQ4P4",
		"RDB1BNK6ADJL2PECXOABRPAVGCUABJYBQCAIEAGIAKCDEUUM2KGWA7Y3QCPFVZIJU2XDJRO2BLNDUR6UTYEZ4CM6BGPATHQJTYEZ4CM6BGSCMXWOYMQDNNK6EXTKLZVHAAOHMDJWRGPATHQJTYEZ4CM674OL7IBATGH4ZSW2BRZTFRK2VXMR2ZQIVRLQFFTISFO3R2EDJWBYZDWO5VJWGKKNFKSB7MN3ODVWCKNZVUSZURL3MJA2W2ONDQVQPQPEICUJB",
	}
}
