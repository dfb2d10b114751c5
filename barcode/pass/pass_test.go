package pass

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/barcode/seal"
)

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// valid is a pass with the mandatory fields and an organisation.
func valid() Pass {
	return Pass{
		Number: "BP00012345", Type: TypeBorderPass,
		Name: "Nguyễn Văn An", NameMRZ: "NGUYEN<<VAN<AN", Birth: day(1984, 2, 29),
		Account: "001084012345", Organisation: "0101234567",
		ValidFrom: day(2026, 9, 1), ValidTo: day(2027, 8, 31),
		Crossings: []string{"HNG1", "LCA2"}, Directions: Exit | Entry,
	}
}

func withTemplate() Pass {
	p := valid()
	p.Model, p.SealedTemplate = "mfn-512.160", make([]byte, 160+12+16)
	return p
}

// sealed is a seal of the features, not signed: the profile does not look.
func sealed(fs []seal.Feature) *seal.Seal {
	return &seal.Seal{Header: Header(seal.Header{Version: 4}), Features: fs}
}

func features(t testing.TB, p Pass) []seal.Feature {
	t.Helper()
	fs, err := p.Features()
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestRoundTrip(t *testing.T) {
	alone := valid()
	alone.Organisation = ""
	permit := valid()
	permit.Type, permit.Directions = TypePortPermit, Exit
	for name, p := range map[string]Pass{
		"full": withTemplate(), "plain": valid(), "for himself": alone, "permit": permit,
	} {
		got, err := FromSeal(sealed(features(t, p)))
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%s: %+v %v, want %+v", name, got, err, p)
		}
	}
}

// TestSizes holds the labels to the sizes they were designed for.
func TestSizes(t *testing.T) {
	for name, c := range map[string]struct {
		p     Pass
		limit int
	}{"plain": {valid(), 300}, "template": {withTemplate(), 450}} {
		a, err := seal.NewAuthority(seal.AuthorityOptions{
			Country: "VN", Signer: "BG", Serial: 1, NotBefore: day(2026, 1, 1), NotAfter: day(2030, 1, 1),
		})
		if err != nil {
			t.Fatal(err)
		}
		h, err := seal.NewHeader(a.Signer, "VNM", day(2026, 9, 1), day(2026, 9, 1))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := seal.Sign(Header(h), features(t, c.p), a.SignerKey)
		if err != nil || len(raw) > c.limit {
			t.Errorf("%s: %d bytes, at most %d: %v", name, len(raw), c.limit, err)
		}
	}
}

// TestFieldRules breaks one rule of a valid pass each, once when it is made
// and, where the encoding allows it, once when it is read.
func TestFieldRules(t *testing.T) {
	cases := map[string]struct {
		field  string
		change func(*Pass)
	}{
		"no number":           {"number", func(p *Pass) { p.Number = "" }},
		"lower-case number":   {"number", func(p *Pass) { p.Number = "bp1" }},
		"number with a space": {"number", func(p *Pass) { p.Number = "BP 1" }},
		"long number":         {"number", func(p *Pass) { p.Number = strings.Repeat("1", MaxNumber+1) }},
		"type":                {"type", func(p *Pass) { p.Type = "visa" }},
		"no name":             {"name", func(p *Pass) { p.Name = "" }},
		"name with a control": {"name", func(p *Pass) { p.Name = "A\nB" }},
		"name in Latin-1":     {"name", func(p *Pass) { p.Name = "Nguy\xean" }},
		"name with an end":    {"name", func(p *Pass) { p.Name = "An " }},
		"name with a mark":    {"name", func(p *Pass) { p.Name = "A\u202eB" }},
		"long name":           {"name", func(p *Pass) { p.Name = strings.Repeat("ễ", 27) }},
		"MRZ with a digit":    {"name_mrz", func(p *Pass) { p.NameMRZ = "AN1" }},
		"MRZ with an end":     {"name_mrz", func(p *Pass) { p.NameMRZ = "AN<" }},
		"no MRZ":              {"name_mrz", func(p *Pass) { p.NameMRZ = "" }},
		"long MRZ":            {"name_mrz", func(p *Pass) { p.NameMRZ = strings.Repeat("A", MaxNameMRZ+1) }},
		"no birth":            {"birth", func(p *Pass) { p.Birth = time.Time{} }},
		"no account":          {"account", func(p *Pass) { p.Account = "" }},
		"long account":        {"account", func(p *Pass) { p.Account = strings.Repeat("1", MaxAccount+1) }},
		"organisation":        {"organisation", func(p *Pass) { p.Organisation = "A.B" }},
		"validity":            {"validity", func(p *Pass) { p.ValidTo = p.ValidFrom.AddDate(0, 0, -1) }},
		"no validity":         {"validity", func(p *Pass) { p.ValidFrom, p.ValidTo = time.Time{}, time.Time{} }},
		"no crossing":         {"crossings", func(p *Pass) { p.Crossings = nil }},
		"empty crossing":      {"crossings", func(p *Pass) { p.Crossings = []string{""} }},
		"short crossing":      {"crossings", func(p *Pass) { p.Crossings = []string{"A"} }},
		"crossing with space": {"crossings", func(p *Pass) { p.Crossings = []string{"A B"} }},
		"crossing twice":      {"crossings", func(p *Pass) { p.Crossings = []string{"AB", "AB"} }},
		"many crossings":      {"crossings", func(p *Pass) { p.Crossings = strings.Split("A1 A2 A3 A4 A5 A6 A7 A8 A9", " ") }},
		"no direction":        {"directions", func(p *Pass) { p.Directions = 0 }},
		"third direction":     {"directions", func(p *Pass) { p.Directions = 4 }},
		"model alone":         {"template", func(p *Pass) { p.Model = "m" }},
		"template alone":      {"template", func(p *Pass) { p.SealedTemplate = make([]byte, 100) }},
		"model with a space":  {"model", func(p *Pass) { p.Model, p.SealedTemplate = "a b", make([]byte, 100) }},
		"template too short":  {"template", func(p *Pass) { p.Model, p.SealedTemplate = "m", make([]byte, MinTemplate-1) }},
		"template too long":   {"template", func(p *Pass) { p.Model, p.SealedTemplate = "m", make([]byte, MaxTemplate+1) }},
		"long model":          {"model", func(p *Pass) { p.Model, p.SealedTemplate = strings.Repeat("m", 33), make([]byte, 100) }},
	}
	for name, c := range cases {
		p := valid()
		c.change(&p)
		fs, err := p.Features()
		if fs != nil {
			t.Errorf("%s: encoded", name)
		}
		checkFault(t, name, err, c.field)
	}
}

func checkFault(t *testing.T, name string, err error, field string) {
	t.Helper()
	var fault *FieldError
	if !errors.As(err, &fault) || !errors.Is(err, ErrField) || fault.Field != field {
		t.Errorf("%s: %v, want field %s", name, err, field)
	}
	if seal.CodeOf(err) != seal.WrongFormat {
		t.Errorf("%s: code %s", name, seal.CodeOf(err))
	}
}

// TestFromSealRules gives a seal one wrong value each.
func TestFromSealRules(t *testing.T) {
	c40 := func(s string) []byte {
		b, err := seal.EncodeC40(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	whole := features(t, withTemplate())
	for name, c := range map[string]struct {
		tag   byte
		value []byte
		field string
	}{
		"number empty":       {tagNumber, nil, "number"},
		"number with space":  {tagNumber, c40("A B"), "number"},
		"number no C40":      {tagNumber, []byte("A"), "number"},
		"type 0":             {tagType, []byte{0}, "type"},
		"type 3":             {tagType, []byte{3}, "type"},
		"type long":          {tagType, []byte{1, 1}, "type"},
		"name no UTF-8":      {tagName, []byte{0xC3}, "name"},
		"MRZ with digit":     {tagNameMRZ, c40("AN1"), "name_mrz"},
		"MRZ no C40":         {tagNameMRZ, []byte{0, 0}, "name_mrz"},
		"birth of two bytes": {tagBirth, []byte{1, 2}, "birth"},
		"birth in year 1":    {tagBirth, []byte{0x0f, 0x69, 0x51}, "birth"},
		"account long":       {tagAccount, c40(strings.Repeat("1", 25)), "account"},
		"organisation empty": {tagOrganisation, nil, "organisation"},
		"validity short":     {tagValidity, make([]byte, 5), "validity"},
		"validity zero":      {tagValidity, make([]byte, 6), "validity"},
		"crossings no C40":   {tagCrossings, []byte{1}, "crossings"},
		"crossings two gaps": {tagCrossings, c40("AB  CD"), "crossings"},
		"crossings end":      {tagCrossings, c40("AB "), "crossings"},
		"crossings many":     {tagCrossings, c40("A1 A2 A3 A4 A5 A6 A7 A8 A9"), "crossings"},
		"directions 0":       {tagDirections, []byte{0}, "directions"},
		"directions 7":       {tagDirections, []byte{7}, "directions"},
		"directions none":    {tagDirections, nil, "directions"},
		"model empty":        {tagModel, nil, "model"},
		"template empty":     {tagTemplate, nil, "template"},
		"template too long":  {tagTemplate, make([]byte, MaxTemplate+1), "template"},
	} {
		fs := slices.Clone(whole)
		for i := range fs {
			if fs[i].Tag == c.tag {
				fs[i].Value = c.value
			}
		}
		p, err := FromSeal(sealed(fs))
		if !reflect.DeepEqual(p, Pass{}) {
			t.Errorf("%s: returned a pass", name)
		}
		checkFault(t, name, err, c.field)
	}
}

func TestMissingFields(t *testing.T) {
	whole := features(t, valid())
	for _, f := range fields() {
		fs := slices.DeleteFunc(slices.Clone(whole), func(x seal.Feature) bool { return x.Tag == f.tag })
		_, err := FromSeal(sealed(fs))
		if f.optional {
			if err != nil {
				t.Errorf("without %s: %v", f.name, err)
			}
			continue
		}
		checkFault(t, "without "+f.name, err, f.name)
	}
	_, err := FromSeal(sealed(nil))
	if n := strings.Count(err.Error(), "missing"); n != 9 {
		t.Errorf("%d fields reported missing, want all 9: %v", n, err)
	}
}

func TestKindAndUnknown(t *testing.T) {
	for name, change := range map[string]func(*seal.Header){
		"category":  func(h *seal.Header) { h.Category = 0x44 },
		"reference": func(h *seal.Header) { h.FeatureRef = 2 },
		"version":   func(h *seal.Header) { h.Version = 3 },
	} {
		s := sealed(features(t, valid()))
		change(&s.Header)
		if _, err := FromSeal(s); seal.CodeOf(err) != seal.InvalidDocumentType {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := sealed(append(features(t, valid()), seal.Feature{Tag: 0x77, Value: []byte("later")}))
	if p, err := FromSeal(s); err != nil || !slices.Equal(p.Unknown, []byte{0x77}) {
		t.Errorf("an unknown tag: %v %v", p.Unknown, err)
	}
}

func TestOn(t *testing.T) {
	hanoi := time.FixedZone("ICT", 7*3600)
	p := valid()
	for _, c := range []struct {
		at              time.Time
		notYet, expired bool
	}{
		{time.Date(2026, 8, 31, 23, 59, 59, 0, hanoi), true, false},
		{time.Date(2026, 9, 1, 0, 0, 0, 0, hanoi), false, false},
		{time.Date(2027, 8, 31, 23, 59, 59, 0, hanoi), false, false},
		{time.Date(2027, 9, 1, 0, 0, 0, 0, hanoi), false, true},
	} {
		if notYet, expired := p.On(c.at); notYet != c.notYet || expired != c.expired {
			t.Errorf("%v: not yet %v, expired %v", c.at, notYet, expired)
		}
	}
	if p.Directions.Has(0) || !p.Directions.Has(Exit|Entry) || Exit.Has(Entry) {
		t.Error("directions")
	}
}

// FuzzFromSeal holds that a pass that was read can be made again and is the
// same, and that no error tells a field's content.
func FuzzFromSeal(f *testing.F) {
	for _, feature := range features(f, withTemplate()) {
		f.Add(feature.Tag, feature.Value)
	}
	f.Add(byte(0x77), []byte("later"))
	whole := features(f, withTemplate())
	f.Fuzz(func(t *testing.T, tag byte, value []byte) {
		fs := slices.Clone(whole)
		at := slices.IndexFunc(fs, func(x seal.Feature) bool { return x.Tag == tag })
		if at < 0 {
			fs = append(fs, seal.Feature{Tag: tag, Value: value})
		} else {
			fs[at].Value = value
		}
		p, err := FromSeal(sealed(fs))
		if err != nil {
			if !errors.Is(err, ErrField) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		p.Unknown = nil
		again, err := p.Features()
		if err != nil {
			t.Fatalf("what was read cannot be made: %v", err)
		}
		if back, err := FromSeal(sealed(again)); err != nil || !reflect.DeepEqual(back, p) {
			t.Errorf("%+v became %+v %v", p, back, err)
		}
	})
}
