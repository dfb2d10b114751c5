package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/jpeg"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tool runs a command line in process.
func tool(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = dispatch(context.Background(), env{Out: &out, Err: &errs}, commands(), args)
	return out.String(), errs.String(), status
}

// office is a folder with keys, a filled-in holder file and a label.
type office struct{ dir string }

func (o office) path(name string) string { return filepath.Join(o.dir, filepath.FromSlash(name)) }

func newOffice(t *testing.T) office {
	t.Helper()
	o := office{t.TempDir()}
	if _, errs, status := tool(t, "pass", "keygen", "--years", "30", "--out", o.dir); status != exitDone {
		t.Fatalf("keygen: %s", errs)
	}
	o.write(t, "holder.yaml", documentedHolder(t))
	if _, errs, status := o.issue(t, "label.png"); status != exitDone {
		t.Fatalf("issue: %s", errs)
	}
	return o
}

func (o office) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(o.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (o office) issue(t *testing.T, out string, more ...string) (stdout, stderr string, status int) {
	t.Helper()
	return tool(t, append([]string{
		"pass", "issue", "--holder", o.path("holder.yaml"), "--key", o.path("signer.key"),
		"--cert", o.path("trust/signer.pem"), "--out", o.path(out),
	}, more...)...)
}

// documentedHolder is the example of the document, so that it stays right, with
// days around today, since a label is signed today.
func documentedHolder(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "pass-profile.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(b)
	if m == nil {
		t.Fatal("docs/pass-profile.md has no example of a holder file")
	}
	return strings.NewReplacer(
		"2026-09-01", inDays(-30), "2027-08-31", inDays(300),
	).Replace(string(m[1]))
}

func inDays(n int) string { return time.Now().AddDate(0, 0, n).Format(time.DateOnly) }

func decodeLine[T any](t *testing.T, line string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return v
}

func TestPassVerify(t *testing.T) {
	o, stranger := newOffice(t), newOffice(t)
	blank := o.path("blank.png")
	writePNG(t, blank, image.NewGray(image.Rect(0, 0, 200, 200)))
	for name, c := range map[string]struct {
		trust, image, at string
		code, validity   string
		status           int
	}{
		"current": {o.path("trust"), o.path("label.png"), "", "VALID", "current", exitDone},
		"expired": {o.path("trust"), o.path("label.png"), inDays(400) + "T00:00:00Z", "VALID", "expired", exitNegative},
		"stranger": {
			stranger.path("trust"), o.path("label.png"), "", "INVALID_SIGNATURE", "", exitNegative,
		},
		"nobody": {t.TempDir(), o.path("label.png"), "", "UNKNOWN_CERTIFICATE", "", exitNegative},
		"blank":  {o.path("trust"), blank, "", "READ_ERROR", "", exitNegative},
	} {
		args := []string{"pass", "verify", "--json", "--trust", c.trust, c.image}
		if c.at != "" {
			args = append(args, "--at", c.at)
		}
		out, errs, status := tool(t, args...)
		if status != c.status {
			t.Fatalf("%s: status %d: %s%s", name, status, out, errs)
		}
		r := decodeLine[passReport](t, out)
		if string(r.Code) != c.code || r.Validity != c.validity || r.Valid != (c.status == exitDone) {
			t.Errorf("%s: %s", name, out)
		}
		if (r.Pass != nil) != (c.code == "VALID") {
			t.Errorf("%s: shows a pass that nobody signed, or none: %s", name, out)
		}
	}
}

func TestPassShows(t *testing.T) {
	o := newOffice(t)
	out, _, _ := tool(t, "pass", "verify", "--json", "--trust", o.path("trust"), o.path("label.png"))
	p := decodeLine[passReport](t, out).Pass
	if p == nil || p.Number != "BP00012345" || p.Name != "Nguyễn Văn An" || p.NameMRZ != "NGUYEN<<VAN<AN" ||
		p.Birth != "1984-02-29" || p.Account != "001084012345" || strings.Join(p.Crossings, ",") != "HNG1,LCA2" ||
		strings.Join(p.Directions, ",") != "exit,entry" || p.ValidTo != inDays(300) {
		t.Errorf("pass %+v", p)
	}
}

func TestBarcodeRead(t *testing.T) {
	o := newOffice(t)
	photo := o.path("label.jpg")
	f, err := os.Open(o.path("label.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	o.write(t, "label.jpg", b.String())
	o.write(t, "no.png", "this is no image")
	writePNG(t, o.path("blank.png"), image.NewGray(image.Rect(0, 0, 100, 100)))

	out, _, status := tool(t, "barcode", "read", "--json", o.path("label.png"), photo)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != exitDone || len(lines) != 2 {
		t.Fatalf("status %d: %s", status, out)
	}
	first, second := decodeLine[barcodeLine](t, lines[0]), decodeLine[barcodeLine](t, lines[1])
	if len(first.Found) != 1 || len(second.Found) != 1 || first.Found[0].Symbology != "qr" ||
		!bytes.Equal(first.Found[0].Payload, second.Found[0].Payload) {
		t.Errorf("read %s", out)
	}
	o.write(t, "seal.bin", string(first.Found[0].Payload))
	out, errs, status := tool(t, "seal", "verify", "--json", "--trust", o.path("trust"), o.path("seal.bin"))
	if r := decodeLine[sealReport](t, out); status != exitDone || r.Code != "VALID" || len(r.Features) != 10 || r.Header.Signer != "UTGT" {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	for name, want := range map[string]int{"blank.png": exitNegative, "no.png": exitUnable, "missing.png": exitUnable} {
		if out, _, status := tool(t, "barcode", "read", "--json", o.path("label.png"), o.path(name)); status != want {
			t.Errorf("%s: status %d: %s", name, status, out)
		}
	}
	if _, _, status := tool(t, "barcode", "read"); status != exitUnable {
		t.Errorf("no file: status %d", status)
	}
}

func TestSealVerifyRefuses(t *testing.T) {
	o := newOffice(t)
	o.write(t, "junk", "junk")
	o.write(t, "idb", "RDB1BNK2JBIDA")
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"junk":      {[]string{"--trust", o.path("trust"), o.path("junk")}, exitNegative, "WRONG_FORMAT"},
		"idb":       {[]string{"--trust", o.path("trust"), o.path("idb")}, exitNegative, `"format":"idb"`},
		"no file":   {[]string{"--trust", o.path("trust")}, exitUnable, "name one file"},
		"missing":   {[]string{"--trust", o.path("trust"), o.path("none")}, exitUnable, "no such file"},
		"no trust":  {[]string{o.path("junk")}, exitUnable, "--trust"},
		"bad trust": {[]string{"--trust", o.path("none"), o.path("junk")}, exitUnable, "trust folder"},
		"time":      {[]string{"--trust", o.path("trust"), "--at", "today", o.path("junk")}, exitUnable, "--at"},
		"flag":      {[]string{"--frob"}, exitUnable, "frob"},
	} {
		out, errs, status := tool(t, append([]string{"seal", "verify", "--json"}, c.args...)...)
		if status != c.status || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s: status %d: %s%s", name, status, out, errs)
		}
	}
}

// TestIssueRefuses also holds that no error tells the holder's data.
func TestIssueRefuses(t *testing.T) {
	o, stranger := newOffice(t), newOffice(t)
	good := documentedHolder(t)
	for name, c := range map[string]struct{ from, to, says string }{
		"unknown field": {"number:", "nummer:", "docs/pass-profile.md"},
		"number":        {"BP00012345", "bp-12345", "number"},
		"birth":         {"1984-02-29", "1983-02-29", "birth"},
		"no birth":      {"birth: 1984-02-29\n", "", "birth"},
		"direction":     {"[exit, entry]", "[out]", "directions"},
		"validity":      {inDays(300), inDays(-40), "valid_to"},
		"too long":      {inDays(300), inDays(12000), "outlive"},
		"empty":         {good, "", "empty"},
	} {
		o.write(t, "holder.yaml", strings.Replace(good, c.from, c.to, 1))
		out, errs, status := o.issue(t, "refused.png")
		if status != exitUnable || !strings.Contains(errs, c.says) {
			t.Errorf("%s: status %d: %s%s", name, status, out, errs)
		}
		for _, secret := range []string{"Nguy", "NGUYEN", "12345", "001084"} {
			if strings.Contains(errs, secret) {
				t.Errorf("%s: the error tells %q", name, secret)
			}
		}
	}
	o.write(t, "holder.yaml", good)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"sheet":      {[]string{"--sheet", "2x8"}, ".pdf"},
		"dpi":        {[]string{"--dpi", "203"}, "203"},
		"module":     {[]string{"--module", "7"}, "dots"},
		"no png":     {[]string{"--out", o.path("refused.gif")}, ".png"},
		"no photo":   {[]string{"--photo", o.path("none.jpg")}, "--photo"},
		"other key":  {[]string{"--key", stranger.path("signer.key")}, "belong together"},
		"no key":     {[]string{"--key", o.path("holder.yaml")}, "not PEM"},
		"no cert":    {[]string{"--cert", o.path("holder.yaml")}, "certificate"},
		"no holder":  {[]string{"--holder", o.path("none")}, "holder"},
		"no country": {[]string{"--country", "Utopia"}, "country"},
	} {
		if out, errs, status := o.issue(t, "refused.png", c.args...); status != exitUnable || !strings.Contains(errs, c.says) {
			t.Errorf("%s: status %d: %s%s", name, status, out, errs)
		}
	}
	if _, err := os.Stat(o.path("refused.png")); err == nil {
		t.Error("a label was written although it was refused")
	}
}

func TestKeygenFiles(t *testing.T) {
	o := newOffice(t)
	for _, name := range []string{"authority.key", "signer.key", "label.png"} {
		info, err := os.Stat(o.path(name))
		if err != nil || info.Mode().Perm() != fs.FileMode(0o600) {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	before, err := os.ReadFile(o.path("signer.key"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, status := tool(t, "pass", "keygen", "--out", o.dir); status != exitUnable {
		t.Error("a key was replaced")
	}
	after, err := os.ReadFile(o.path("signer.key"))
	if err != nil || !bytes.Equal(before, after) {
		t.Error("the key changed")
	}
	for _, args := range [][]string{{}, {"--out", o.path("x"), "--country", "uto"}, {"--out", o.path("x"), "--serial", "0"}, {"--out", o.path("x"), "--years", "0"}} {
		if _, _, status := tool(t, append([]string{"pass", "keygen"}, args...)...); status != exitUnable {
			t.Errorf("%v: accepted", args)
		}
	}
}

func writePNG(t *testing.T, path string, img image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
