package main

import (
	"image"
	"strings"
	"testing"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
)

// TestVerifyExplains: each check says how it stands, and none that was not
// reached says that it is good.
func TestVerifyExplains(t *testing.T) {
	o, stranger := newOffice(t), newOffice(t)
	writePNG(t, o.path("blank.png"), image.NewGray(image.Rect(0, 0, 200, 200)))
	all := "read format signer trust revocation period signature type fields dates crossing direction template"
	for name, c := range map[string]struct {
		args   []string
		status int
		failed string // checks
		undone string
	}{
		"no place":        {[]string{"--trust", o.path("trust"), o.path("label.png")}, exitDone, "", "crossing direction template"},
		"right place":     {[]string{"--trust", o.path("trust"), "--at-crossing", "LCA2", "--direction", "entry", o.path("label.png")}, exitDone, "", "template"},
		"wrong crossing":  {[]string{"--trust", o.path("trust"), "--at-crossing", "MCI1", o.path("label.png")}, exitNegative, "crossing", "direction template"},
		"expired":         {[]string{"--trust", o.path("trust"), "--at", inDays(400) + "T12:00:00Z", o.path("label.png")}, exitNegative, "dates", "crossing direction template"},
		"forged":          {[]string{"--trust", stranger.path("trust"), o.path("label.png")}, exitNegative, "signature", "revocation"},
		"unknown signer":  {[]string{"--trust", t.TempDir(), o.path("label.png")}, exitNegative, "signer", "trust revocation period signature"},
		"no list":         {[]string{"--trust", o.path("trust"), "--fresh-lists", o.path("label.png")}, exitNegative, "trust", "revocation period signature type"},
		"nothing to read": {[]string{"--trust", o.path("trust"), o.path("blank.png")}, exitNegative, "read", "format signer trust revocation period signature"},
	} {
		out, errs, status := tool(t, append([]string{"pass", "verify", "--json"}, c.args...)...)
		if status != c.status {
			t.Fatalf("%s: status %d: %s%s", name, status, out, errs)
		}
		r := decodeLine[passReport](t, out)
		for _, check := range r.Checks {
			want := checkOK
			switch {
			case strings.Contains(" "+c.failed+" ", " "+check.Check+" "):
				want = checkFailed
			case strings.Contains(" "+c.undone+" ", " "+check.Check+" "):
				want = checkNotDone
			}
			if check.State != want || check.Detail == "" || !strings.Contains(" "+all+" ", " "+check.Check+" ") {
				t.Errorf("%s: %+v, want %s", name, check, want)
			}
		}
		if len(r.Checks) < 7 || (len(r.Fields) == len(pass.Profile())) != (r.Pass != nil) {
			t.Errorf("%s: %d checks, %d fields", name, len(r.Checks), len(r.Fields))
		}
		plain, _, _ := tool(t, append([]string{"pass", "verify"}, c.args...)...)
		if strings.Count(plain, "\ncheck ") != len(r.Checks) || strings.Contains(plain, "Nguyễn") != (r.Pass != nil) {
			t.Errorf("%s: %s", name, plain)
		}
	}
	if _, errs, status := tool(t, "pass", "verify", "--trust", o.path("trust"), "--direction", "out", o.path("label.png")); status != exitUnable || !strings.Contains(errs, "--direction") {
		t.Errorf("direction: status %d: %s", status, errs)
	}
}

// TestFieldsExplained: a signed seal that breaks the profile says which fields
// are wrong and what they must be.
func TestFieldsExplained(t *testing.T) {
	s := &seal.Seal{Header: pass.Header(seal.Header{Version: 4}), Features: []seal.Feature{{Tag: 2, Value: []byte{9}}, {Tag: 10, Value: []byte{1}}}}
	p, err := pass.FromSeal(s)
	states := map[string]string{}
	for _, f := range explainFields(s, p, err) {
		states[f.Field] = f.State
		if f.Rule == "" || f.Value != "" {
			t.Errorf("%+v", f)
		}
	}
	for field, want := range map[string]string{
		"number": fieldMissing, "type": checkFailed, "directions": checkOK, "organisation": fieldAbsent, "template": fieldAbsent,
	} {
		if states[field] != want {
			t.Errorf("%s is %s, want %s", field, states[field], want)
		}
	}
	checks := passChecks(p, err, place{})
	if checks[1].State != checkFailed || checks[2].State != checkNotDone {
		t.Errorf("%+v", checks)
	}
	other := &pass.TypeError{FeatureRef: 0x5D, Category: 1}
	if got := passChecks(pass.Pass{}, other, place{}); got[0].State != checkFailed || explainFields(s, p, other) != nil {
		t.Errorf("%+v", got)
	}
}
