package journal

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

func TestLine(t *testing.T) {
	o := testOptions(t)
	v := o.Vault.(*vault.Vault)
	j := openJournal(t, o)
	appendN(t, j, 1)
	if _, err := j.Append(t.Context(), Draft{Stream: wire.StreamCrossing, Kind: "plain"}); err != nil {
		t.Fatal(err)
	}
	raws, err := j.Read(wire.StreamCrossing, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	other, err := vault.Open(t.TempDir()+"/other", [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		raw      RawRecord
		open     OpenFunc
		state    string
		personal string
	}{
		"sealed":      {raws[0], nil, PersonalSealed, ""},
		"opened":      {raws[0], v.Open, PersonalOpened, `{"person":0}`},
		"other vault": {raws[0], other.Open, PersonalUnknown, ""},
		"none":        {raws[1], v.Open, PersonalNone, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l, err := NewLine(c.raw, c.open)
			if err != nil {
				t.Fatal(err)
			}
			if l.State != c.state || string(l.Personal) != c.personal {
				t.Errorf("state %s, personal %s", l.State, l.Personal)
			}
			text, err := json.Marshal(l)
			if err != nil || strings.Contains(string(text), "person\"") != (c.state == PersonalOpened) {
				t.Errorf("line %s, %v", text, err)
			}
		})
	}
	if _, err := NewLine(RawRecord{Seq: 1, Bytes: raws[0].Bytes[1:]}, nil); err == nil {
		t.Error("a damaged record was described")
	}
}

func TestPersonalIsBoundToItsRecord(t *testing.T) {
	o := testOptions(t)
	v := o.Vault.(*vault.Vault)
	j := openJournal(t, o)
	appendN(t, j, 1)
	raws, err := j.Read(wire.StreamCrossing, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*wire.Record){
		"gate": func(r *wire.Record) { r.Gate = "lane-2" }, "epoch": func(r *wire.Record) { r.Epoch++ },
		"stream": func(r *wire.Record) { r.Stream++ }, "tx": func(r *wire.Record) { r.Tx[0]++ },
		"kind": func(r *wire.Record) { r.Kind = "other" }, "day": func(r *wire.Record) { r.Day++ },
	} {
		r, err := wire.DecodeRecord(raws[0].Bytes)
		if err != nil {
			t.Fatal(err)
		}
		change(&r)
		if plain, err := Personal(&r, v.Open); err == nil {
			t.Errorf("with another %s it opens: %s", name, plain)
		}
	}
}

func TestExport(t *testing.T) {
	j := openJournal(t, testOptions(t))
	appendN(t, j, chunk+7)
	n := uint64(0)
	err := j.Export(t.Context(), func(raw RawRecord) error {
		if n++; raw.Seq != n {
			t.Errorf("record %d at place %d", raw.Seq, n)
		}
		return nil
	})
	if err != nil || n != chunk+7 {
		t.Errorf("%d records, %v", n, err)
	}
	enough := errors.New("enough")
	if err := j.Export(t.Context(), func(RawRecord) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func FuzzNewLine(f *testing.F) {
	r := wire.Record{Gate: "g", Epoch: 1, Stream: 1, Seq: 1, Kind: "k", Public: []byte("{}"), Sealed: []byte("x"), Class: 1}
	b, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := NewLine(RawRecord{Bytes: b}, nil)
		if err != nil {
			return
		}
		if _, err := json.Marshal(l); err != nil {
			t.Fatalf("a line is no json: %v", err)
		}
	})
}
