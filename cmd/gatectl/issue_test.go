package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"bordergate/barcode/pass"
	"bordergate/barcode/symbol"
)

// reference is a template as face enrol prints it: nobody's.
func reference() []byte {
	b := make([]byte, pass.TemplateSize)
	for i := range b {
		b[i] = byte(i % 100)
	}
	b[0] = 127
	return b
}

const someModel = "fr_feature@0123456789ab"

// payloadOf reads the one code of an image file.
func payloadOf(t *testing.T, file string) []byte {
	t.Helper()
	frame, err := loadLuma(file)
	if err != nil {
		t.Fatal(err)
	}
	found := symbol.NewReader().Read(frame, fileBudget)
	if len(found) != 1 {
		t.Fatalf("%s: %d codes", filepath.Base(file), len(found))
	}
	return found[0].Payload
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withTemplateKey makes a key file.
func (o office) withTemplateKey(t *testing.T, name string) string {
	t.Helper()
	if _, errs, status := tool(t, "pass", "template-key", "--out", o.path(name)); status != exitDone {
		t.Fatal(errs)
	}
	return o.path(name)
}

func TestIssueWithTemplate(t *testing.T) {
	o := newOffice(t)
	key, other := o.withTemplateKey(t, "template.key"), o.withTemplateKey(t, "other.key")
	out, errs, status := o.issue(t, "face.png", "--template-key", key, "--model", someModel,
		"--reference", base64.StdEncoding.EncodeToString(reference()))
	if status != exitDone || decodeLine[issueReport](t, out).TemplateKey == "" {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	for name, c := range map[string]struct {
		args   []string
		status int
		state  string
	}{
		"right key": {[]string{"--template-key", key}, exitDone, checkOK},
		"other key": {[]string{"--template-key", other}, exitNegative, checkFailed},
		"no key":    {nil, exitDone, checkNotDone},
	} {
		out, errs, status := tool(t, append([]string{"pass", "verify", "--json", "--trust", o.path("trust"), o.path("face.png")}, c.args...)...)
		r := decodeLine[passReport](t, out)
		if status != c.status || stateOf(r, "template") != c.state || r.Pass.Model != someModel || r.Pass.Template != pass.SealedTemplateSize {
			t.Errorf("%s: status %d: %s%s", name, status, out, errs)
		}
	}
	if bytes.Contains(payloadOf(t, o.path("face.png")), reference()[:8]) {
		t.Error("the template is readable")
	}
	if _, _, status := tool(t, "pass", "template-key", "--out", key); status != exitUnable {
		t.Error("a key was replaced")
	}
	if err := os.Chmod(other, 0o644); err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString(reference())
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no key":       {[]string{"--reference", b64, "--model", someModel}, "--template-key"},
		"no model":     {[]string{"--reference", b64, "--template-key", key}, "go together"},
		"no face":      {[]string{"--template-key", key}, "needs --photo"},
		"not base64":   {[]string{"--reference", "?", "--model", someModel, "--template-key", key}, "base64"},
		"no reference": {[]string{"--reference", "AAAA", "--model", someModel, "--template-key", key}, "reference"},
		"model":        {[]string{"--reference", b64, "--model", "Model!", "--template-key", key}, "model"},
		"no key file":  {[]string{"--reference", b64, "--model", someModel, "--template-key", o.path("holder.yaml")}, "template key"},
		"exposed":      {[]string{"--reference", b64, "--model", someModel, "--template-key", other}, "chmod"},
		"both":         {[]string{"--reference", b64, "--model", someModel, "--template-key", key, "--photo", key}, "not both"},
	} {
		if out, errs, status := o.issue(t, "refused.png", c.args...); status != exitUnable || !strings.Contains(errs, c.says) {
			t.Errorf("%s: status %d: %s%s", name, status, out, errs)
		}
	}
}

// TestIssueFromPhoto runs face enrol against a stand-in for gatevision.
func TestIssueFromPhoto(t *testing.T) {
	o := newOffice(t)
	key := o.withTemplateKey(t, "template.key")
	program, _ := fakeVision(t, map[string]string{
		"good": answer("good", invented(1, 0), 1), "poor": strings.Replace(answer("poor", invented(1, 0), 1), `"eye_distance":60`, `"eye_distance":6`, 1), "nobody": noFace,
	})
	flags := []string{"--template-key", key, "--gatevision", program, "--manifest", "../../configs/models.yaml"}
	for photo, status := range map[string]int{"good": exitDone, "poor": exitUnable, "nobody": exitUnable, "missing": exitUnable} {
		out, errs, got := o.issue(t, photo+".png", append(flags, "--photo", photo)...)
		if got != status {
			t.Errorf("%s: status %d: %s%s", photo, got, out, errs)
		}
		if _, err := os.Stat(o.path(photo + ".png")); (err == nil) != (status == exitDone) {
			t.Errorf("%s: a label without its face, or none: %v", photo, err)
		}
	}
	out, errs, status := tool(t, "pass", "verify", "--json", "--trust", o.path("trust"), "--template-key", key, o.path("good.png"))
	if r := decodeLine[passReport](t, out); status != exitDone || stateOf(r, "template") != checkOK || !strings.HasPrefix(r.Pass.Model, "fr_feature@") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	o.write(t, "list.csv", listHead+",photo\n"+listRow("A1", "Nguyễn Văn An")+",good\n"+listRow("A2", "Trần Thị Bé")+",nobody\n"+listRow("A3", "Lê Văn Cò")+",\n")
	out, errs, status = o.batch(t, "labels", flags...)
	rows, sum := batchLines(t, out)
	if status != exitNegative || sum != (batchReport{Rows: 3, Issued: 2, Bad: 1}) || rows[1].Faults[0].Field != "photo" || rows[1].Faults[0].Column != 12 {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
}

func stateOf(r passReport, check string) string {
	for _, c := range r.Checks {
		if c.Check == check {
			return c.State
		}
	}
	return ""
}

func TestPassphrase(t *testing.T) {
	o := office{t.TempDir()}
	o.write(t, "phrase", "khoá ký số 1\nsecond line\n")
	o.write(t, "wrong", "khoá ký số 2\n")
	o.write(t, "empty", "\n")
	if _, errs, status := tool(t, "pass", "keygen", "--years", "30", "--out", o.dir, "--passphrase-file", o.path("phrase")); status != exitDone {
		t.Fatal(errs)
	}
	for _, name := range []string{"signer.key", "authority.key"} {
		if !bytes.HasPrefix(read(t, o.path(name)), []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----")) {
			t.Errorf("%s is not encrypted", name)
		}
	}
	o.write(t, "holder.yaml", documentedHolder(t))
	if _, errs, status := o.issue(t, "label.png", "--passphrase-file", o.path("phrase")); status != exitDone {
		t.Fatal(errs)
	}
	if _, _, status := tool(t, "pass", "verify", "--trust", o.path("trust"), o.path("label.png")); status != exitDone {
		t.Error("the label is not valid")
	}
	o.write(t, "legacy.key", "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n")
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"wrong":  {[]string{"--passphrase-file", o.path("wrong")}, "does not open"},
		"empty":  {[]string{"--passphrase-file", o.path("empty")}, "empty"},
		"none":   {[]string{"--passphrase-file", o.path("none")}, "passphrase"},
		"legacy": {[]string{"--key", o.path("legacy.key")}, "openssl pkcs8"},
	} {
		out, errs, status := o.issue(t, "refused.png", c.args...)
		if status != exitUnable || !strings.Contains(errs, c.says) || strings.Contains(errs, "khoá") {
			t.Errorf("%s: status %d: %s%s", name, status, out, errs)
		}
	}
}

func TestReadLine(t *testing.T) {
	for text, want := range map[string]string{"abc\n": "abc", "abc\r\nx": "abc", "\n": "", "abc": "", strings.Repeat("x", 2*maxPassphrase): ""} {
		got, err := readLine(t.Context(), strings.NewReader(text))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%.10q: %q %v", text, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readLine(ctx, strings.NewReader("abc\n")); err == nil {
		t.Error("an interrupt was overlooked")
	}
}

// TestLabelPrints makes the label of a 300 dpi printer, has the PDF rendered,
// and reads it back byte for byte, by this reader and by an independent one.
func TestLabelPrints(t *testing.T) {
	o := newOffice(t)
	key := o.withTemplateKey(t, "template.key")
	args := []string{
		"--dpi", "300", "--template-key", key, "--model", someModel, "--reference", base64.StdEncoding.EncodeToString(reference()),
	}
	o.write(t, "list.csv", listHead+"\n"+listRow("BP00012345", "Nguyễn Thị Ngọc Ễ")+"\n")
	if _, errs, status := o.batch(t, "out", "--dpi", "300", "--sheet", "2x8"); status != exitDone {
		t.Fatal(errs)
	}
	sealed := map[string][]byte{"sheet": read(t, o.path("out/BP00012345.vds"))}
	if _, errs, status := o.issue(t, "label300.png", args...); status != exitDone {
		t.Fatal(errs)
	}
	t.Run("png", func(t *testing.T) { zxing(t, o.path("label300.png"), payloadOf(t, o.path("label300.png"))) })
	pdftoppm, err := exec.LookPath("pdftoppm")
	if err != nil {
		t.Skip("pdftoppm is not installed (Debian package poppler-utils): the PDF is not rendered")
	}
	if _, errs, status := o.issue(t, "label.pdf", args...); status != exitDone {
		t.Fatal(errs)
	}
	for name, file := range map[string]string{"label": o.path("label.pdf"), "sheet": o.path("out/labels.pdf")} {
		t.Run(name, func(t *testing.T) {
			page := filepath.Join(t.TempDir(), "page")
			// Of the sheet only the first label's place: no gate looks at a page.
			crop := []string{"-x", "0", "-y", "0", "-W", "1240", "-H", "438"}
			args := append([]string{"-r", "300", "-png", "-singlefile"}, append(crop, file, page)...)
			if out, err := exec.Command(pdftoppm, args...).CombinedOutput(); err != nil || len(out) > 0 {
				t.Fatalf("pdftoppm: %v: %s", err, out)
			}
			got := payloadOf(t, page+".png")
			if want, ok := sealed[name]; ok && !bytes.Equal(got, want) {
				t.Error("the sheet holds other bytes than its seal")
			}
			if out, errs, status := tool(t, "pass", "verify", "--json", "--trust", o.path("trust"), page+".png"); status != exitDone {
				t.Errorf("status %d: %s%s", status, out, errs)
			}
			zxing(t, page+".png", got)
		})
	}
}

// zxing reads with zxing-cpp and compares bytes.
func zxing(t *testing.T, file string, want []byte) {
	t.Helper()
	reader, err := exec.LookPath("ZXingReader")
	if err != nil {
		t.Skip("ZXingReader is not installed (Debian package zxing-cpp-tools): not read by an independent program")
	}
	out, err := exec.Command(reader, "-format", "QRCode", "-bytes", file).Output()
	if err != nil || !bytes.Equal(out, want) {
		t.Errorf("ZXingReader read %d bytes of %d, or others: %v", len(out), len(want), err)
	}
}

const listHead = "number,type,name,name_mrz,birth,account,organisation,valid_from,valid_to,crossings,directions"

func listRow(number, name string) string {
	return fmt.Sprintf("%s,border_pass,%s,NGUYEN<<THI<NGOC,1990-05-06,001084012345,,%s,%s,HNG1 LCA2,exit entry",
		number, name, inDays(-30), inDays(300))
}

func (o office) batch(t *testing.T, out string, more ...string) (stdout, stderr string, status int) {
	t.Helper()
	return tool(t, append([]string{
		"pass", "issue", "--batch", o.path("list.csv"), "--key", o.path("signer.key"), "--cert", o.path("trust/signer.pem"), "--out", o.path(out),
	}, more...)...)
}

// batchLines takes a report apart.
func batchLines(t *testing.T, out string) ([]rowReport, batchReport) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var rows []rowReport
	for _, line := range lines[:len(lines)-1] {
		rows = append(rows, decodeLine[rowReport](t, line))
	}
	return rows, decodeLine[batchReport](t, lines[len(lines)-1])
}

// TestBatchKeepsTheGood: every bad line is told with its place and cure, and
// every good one is made.
func TestBatchKeepsTheGood(t *testing.T) {
	o := newOffice(t)
	good := func(n int) string { return listRow(fmt.Sprintf("BP%04d", n), "Nguyễn Thị Ngọc") }
	o.write(t, "list.csv", "\xEF\xBB\xBF"+strings.Join([]string{
		listHead,
		good(2),
		strings.Replace(good(3), "1990-05-06", "06/05/1990", 1),
		strings.Replace(good(4), "Nguyễn", `"Nguyễn`, 1), // a quote left open
		good(5),
		strings.Replace(good(6), "border_pass", "visa", 1),
		"",
		strings.Replace(good(8), "Nguyễn", "Nguy\xEAn", 1),
		strings.Replace(good(9), "exit entry", "out", 1),
		good(2), // again
		strings.Replace(good(11), inDays(300), inDays(-60), 1),
		good(12) + ",more",
		"BP0013",
		strings.Replace(good(14), "HNG1 LCA2", "hng1", 1),
		good(15),
	}, "\r\n"))
	out, errs, status := o.batch(t, "labels", "--format", "png")
	rows, sum := batchLines(t, out)
	if status != exitNegative || sum != (batchReport{Rows: 13, Issued: 3, Bad: 10}) {
		t.Fatalf("status %d: %+v: %s", status, sum, errs)
	}
	want := map[int][]string{
		3: {"5 birth"}, 4: {"3 "}, 6: {"2 type"}, 8: {"3 "}, 9: {"11 directions"}, 10: {"1 number"}, 11: {"9 valid_to"}, 12: {"12 "},
		13: {"5 birth", "8 valid_from", "9 valid_to", "2 type", "3 name", "4 name_mrz", "6 account", "10 crossings", "11 directions"},
		14: {"10 crossings"},
	}
	for _, r := range rows {
		var got []string
		for _, f := range r.Faults {
			got = append(got, fmt.Sprintf("%d %s", f.Column, f.Field))
			if f.Line != r.Line || f.Message == "" || f.Hint == "" || !strings.Contains(errs, f.Hint) {
				t.Errorf("fault without place or cure: %+v", f)
			}
		}
		if !slices.Equal(got, want[r.Line]) {
			t.Errorf("line %d: faults %q, want %q", r.Line, got, want[r.Line])
		}
		if r.Status == "issued" && !bytes.Equal(payloadOf(t, r.File), read(t, o.path("labels/"+r.Number+".vds"))) {
			t.Errorf("line %d: the label holds other bytes than its seal", r.Line)
		}
	}
	for _, secret := range []string{"Nguy", "NGUYEN", "001084", "BP00", "1990"} {
		if strings.Contains(errs, secret) {
			t.Errorf("standard error tells %q", secret)
		}
	}
	if !strings.Contains(errs, "labels: 3 issued, 0 replaced, 0 kept, 10 bad") || strings.Contains(errs, "\r") {
		t.Errorf("progress: %q", errs)
	}
}

// TestBatchAgain: a second run changes nothing, a changed line only its own
// files.
func TestBatchAgain(t *testing.T) {
	o := newOffice(t)
	key := o.withTemplateKey(t, "template.key")
	b64 := base64.StdEncoding.EncodeToString(reference())
	head := strings.ReplaceAll(listHead, ",", ";") + ";reference;model"
	line := func(number, name, reference string) string {
		return strings.ReplaceAll(listRow(number, name), ",", ";") + ";" + reference + ";" + someModel
	}
	run := func(lines ...string) (batchReport, map[string]string) {
		t.Helper()
		o.write(t, "list.csv", head+"\n"+strings.Join(lines, "\n"))
		out, errs, status := o.batch(t, "labels", "--template-key", key)
		if status != exitDone {
			t.Fatalf("status %d: %s%s", status, out, errs)
		}
		_, sum := batchLines(t, out)
		files := map[string]string{}
		entries, err := os.ReadDir(o.path("labels"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			files[e.Name()] = string(read(t, o.path("labels/"+e.Name())))
		}
		return sum, files
	}
	first, before := run(line("A1", "Nguyễn Văn An", b64), line("A2", "Trần Thị Bé", b64))
	if first != (batchReport{Rows: 2, Issued: 2}) || len(before) != 4 {
		t.Errorf("first run: %+v, %d files", first, len(before))
	}
	again, same := run(line("A1", norm.NFD.String("Nguyễn Văn An"), b64), line("A2", "Trần Thị Bé", b64))
	if again != (batchReport{Rows: 2, Kept: 2}) {
		t.Errorf("second run: %+v", again)
	}
	for name := range before {
		if before[name] != same[name] {
			t.Errorf("%s changed", name)
		}
	}
	other := reference()
	other[1]++
	changed, after := run(line("A1", "Nguyễn Văn An", base64.StdEncoding.EncodeToString(other)), line("A2", "Trần Thị Bé", b64))
	if changed != (batchReport{Rows: 2, Kept: 1, Replaced: 1}) || after["A1.vds"] == before["A1.vds"] || after["A2.pdf"] != before["A2.pdf"] {
		t.Errorf("changed face: %+v", changed)
	}
	o.write(t, "labels/A2.vds", "damaged")
	if sum, _ := run(line("A2", "Trần Thị Bé", b64)); sum != (batchReport{Rows: 1, Replaced: 1}) {
		t.Errorf("damaged seal: %+v", sum)
	}
}

func TestBatchRefuses(t *testing.T) {
	o := newOffice(t)
	for name, c := range map[string]struct{ text, says string }{
		"no list":  {"", "name"},
		"unknown":  {listHead + ",colour\n", "column 12"},
		"twice":    {listHead + ",number\n", "stands twice"},
		"missing":  {strings.Replace(listHead, "birth,", "", 1) + "\n", "(birth): no such column"},
		"bad head": {`number,"type` + "\n", "first line"},
	} {
		o.write(t, "list.csv", c.text)
		if out, errs, status := o.batch(t, "labels"); status != exitUnable || !strings.Contains(errs, c.says) || out != "" {
			t.Errorf("%s: status %d: %s%s", name, status, out, errs)
		}
	}
	o.write(t, "list.csv", listHead+"\n"+listRow("A1", "Nguyễn Văn An"))
	for name, args := range map[string][]string{
		"format": {"--format", "gif"}, "sheet": {"--sheet", "2"}, "photo": {"--photo", "x"}, "holder": {"--holder", "x"},
	} {
		if _, _, status := o.batch(t, "labels", args...); status != exitUnable {
			t.Errorf("%s: status %d", name, status)
		}
	}
	if _, errs, status := o.batch(t, "labels", "--sheet", "9x9"); status != exitUnable || !strings.Contains(errs, "does not fit") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// FuzzList: any file gives rows and faults with a place inside it.
func FuzzList(f *testing.F) {
	f.Add([]byte(listHead + "\nA1,\"x,y\n\xff,1\n"))
	f.Add([]byte("\xEF\xBB\xBFnumber;type\r\n\"a\"\"b\";c\r\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		file := filepath.Join(dir, "list.csv")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, faults, err := openList(file)
		if err != nil || len(faults) > 0 {
			return
		}
		lines := bytes.Count(b, []byte("\n")) + 1
		for r, fault := range l.rows {
			if r.line < 2 || r.line > lines || (fault != nil && (fault.Line != r.line || fault.Column < 0)) {
				t.Errorf("line %d of %d: %+v", r.line, lines, fault)
			}
			if fault == nil {
				l.holder(r).form()
			}
		}
	})
}
