package label

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"bordergate/barcode/symbol"
)

// payload is a seal's worth of every byte value.
func payload(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func content(t testing.TB, bytesInCode int) Content {
	t.Helper()
	code, err := symbol.EncodeQR(payload(bytesInCode), 1)
	if err != nil {
		t.Fatal(err)
	}
	return Content{
		Code: code, Title: "GIẤY THÔNG HÀNH / BORDER PASS", Number: "BP00012345",
		Name: "Nguyễn Thị Ngọc Hoà", NameMRZ: "NGUYEN<<THI<NGOC<HOA",
		ValidFrom: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), ValidTo: time.Date(2027, 8, 31, 0, 0, 0, 0, time.UTC),
		Crossings: []string{"HNG1", "LCA2"},
	}
}

func laidOut(t testing.TB, c Content, module int) *Label {
	t.Helper()
	l, err := New(c, module)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// luma is an image as the reader takes it.
func luma(img image.Image) symbol.Luma {
	g := image.NewGray(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
	draw.Draw(g, g.Rect, img, img.Bounds().Min, draw.Src)
	return symbol.Luma{Pix: g.Pix, Stride: g.Stride, W: g.Rect.Dx(), H: g.Rect.Dy()}
}

func mustRead(t *testing.T, what string, img image.Image, want []byte) {
	t.Helper()
	found := symbol.NewReader().Read(luma(img), 5*time.Second)
	if len(found) != 1 || !bytes.Equal(found[0].Payload, want) {
		t.Errorf("%s: %d symbols, or other bytes", what, len(found))
	}
}

func TestPNGHasExactModules(t *testing.T) {
	for _, c := range []struct{ dpi, dots, n int }{
		{DPI300, 0, 154}, {DPI600, 0, 154}, {DPI300, 0, 450}, {DPI600, 0, 450}, {DPI600, 9, 291}, {DPI300, 5, 450}, {DPI600, 12, 450},
	} {
		module, err := Module(c.dots, c.dpi)
		if err != nil {
			t.Fatal(err)
		}
		in := content(t, c.n)
		b, err := laidOut(t, in, module).PNG(c.dpi)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b[:80], physical(c.dpi)) {
			t.Errorf("%v: no resolution in the file", c)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		dots := max(c.dots, MinModule*c.dpi/Unit)
		checkModules(t, fmt.Sprint(c), img, in.Code, dots)
		mustRead(t, fmt.Sprint(c), img, payload(c.n))
	}
}

// checkModules finds the code by its quiet zone's known corner and compares
// every dot of every module.
func checkModules(t *testing.T, what string, img image.Image, code *image.Gray, dots int) {
	t.Helper()
	n := code.Rect.Dx()
	x0 := margin * dots / MinModule
	if dots*Unit != MinModule*DPI300 && dots*Unit != MinModule*DPI600 {
		x0 = -1 // another module: the corner is found below
	}
	left, top := corner(img)
	if x0 >= 0 && left != x0+4*dots {
		t.Errorf("%s: the code begins at %d, want %d", what, left, x0+4*dots)
	}
	for y := range n - 8 {
		for x := range n - 8 {
			want := code.GrayAt(x+4, y+4).Y < 128
			for d := range dots * dots {
				px, py := left+x*dots+d%dots, top+y*dots+d/dots
				if (color.GrayModel.Convert(img.At(px, py)).(color.Gray).Y < 128) != want {
					t.Fatalf("%s: module %d,%d is not whole", what, x, y)
				}
			}
		}
	}
}

// corner is the upper left dark dot of the left half: the code's, since the
// text stands at its right.
func corner(img image.Image) (left, top int) {
	b := img.Bounds()
	for x := b.Min.X; x < b.Max.X; x++ {
		for y := b.Min.Y; y < b.Max.Y; y++ {
			if color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y < 128 {
				return x, y
			}
		}
	}
	return 0, 0
}

func TestModuleSizes(t *testing.T) {
	for _, c := range []struct{ dots, dpi, want int }{
		{0, 300, 8},
		{0, 600, 8},
		{4, 300, 8},
		{8, 600, 8},
		{9, 600, 9},
		{5, 300, 10},
		{12, 300, 24},
		{3, 300, 0},
		{7, 600, 0},
		{13, 300, 0},
		{-1, 300, 0},
		{4, 203, 0},
		{1 << 40, 600, 0},
	} {
		got, err := Module(c.dots, c.dpi)
		if got != c.want || (err == nil) != (c.want > 0) || (err != nil && !errors.Is(err, ErrLabel)) {
			t.Errorf("%d dots at %d dpi: %d, %v", c.dots, c.dpi, got, err)
		}
	}
	if _, err := laidOut(t, content(t, 100), 9).PNG(300); !errors.Is(err, ErrLabel) {
		t.Errorf("half dots: %v", err)
	}
	if _, err := New(Content{}, 8); !errors.Is(err, ErrLabel) {
		t.Errorf("no code: %v", err)
	}
}

// TestTextStaysInside holds for the longest of everything.
func TestTextStaysInside(t *testing.T) {
	f, err := newFonts()
	if err != nil {
		t.Fatal(err)
	}
	crossings := strings.Fields(strings.Repeat("WWWWWWWW ", 8))
	for _, n := range []int{60, 154, 450} {
		for _, name := range []string{
			"Ý", "Nguyễn Văn An", strings.Repeat("W", 80), strings.Repeat("Nguyễn ", 8), strings.TrimSpace(strings.Repeat("Ễ ", 20)),
			strings.Repeat("W ", 39) + "W",
		} {
			c := content(t, n)
			c.Name, c.Number, c.Crossings = name, strings.Repeat("W", 20), crossings
			l := laidOut(t, c, MinModule)
			printed := ""
			for _, r := range l.runs {
				if r.bold && r.x+f.width(r.text, r.size) > l.w-margin || r.y+r.size/4 > l.h || r.y-r.size < 0 {
					t.Errorf("%d bytes, %q: %q leaves the label", n, name, r.text)
				}
				if r.x < l.codeX+l.code.Rect.Dx()*l.module {
					t.Errorf("%q stands in the code", r.text)
				}
				printed += r.text
			}
			if !strings.Contains(strings.ReplaceAll(printed, " ", ""), strings.ReplaceAll(name, " ", "")) {
				t.Errorf("%q is not printed whole: %q", name, printed)
			}
		}
	}
}

func TestVietnameseLetters(t *testing.T) {
	f, err := newFonts()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for r := rune(0x1EA0); r <= 0x1EF9; r++ {
		all.WriteRune(r)
	}
	all.WriteString("ĂăÂâĐđÊêÔôƠơƯưÀàÁáÃãÈèÉéÌìÍíÒòÓóÕõÙùÚúÝýĨĩŨũ–")
	for _, r := range all.String() {
		if !f.prints(string(r)) {
			t.Errorf("the font lacks %q", r)
		}
	}
	for _, caption := range []string{captionNumber, captionName, captionValid, captionCrossings} {
		if !f.prints(caption) {
			t.Errorf("the font lacks a letter of %q", caption)
		}
	}
	c := content(t, 154)
	c.Name = norm.NFD.String(c.Name)
	if l := laidOut(t, c, MinModule); l.UsesMRZName() || !prints(l, "Nguyễn Thị Ngọc Hoà") {
		t.Error("a decomposed name is not printed composed")
	}
	for _, name := range []string{"阮文安", "ສົມສັກ", "Nguyễn \U0001F600"} {
		c.Name = name
		if l := laidOut(t, c, MinModule); !l.UsesMRZName() || !prints(l, "NGUYEN  THI NGOC HOA") && !prints(l, "NGUYEN THI NGOC HOA") {
			t.Errorf("%q: not printed by its transliteration", name)
		}
	}
}

func prints(l *Label, text string) bool {
	for _, r := range l.runs {
		if r.text == text {
			return true
		}
	}
	return false
}

func TestSameBytes(t *testing.T) {
	at := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	var first [2][]byte
	for i := range first {
		l := laidOut(t, content(t, 154), MinModule)
		pdf, err := PDF([]*Label{l, l}, at)
		if err != nil {
			t.Fatal(err)
		}
		img, err := l.PNG(DPI600)
		if err != nil {
			t.Fatal(err)
		}
		first[i] = append(pdf, img...)
	}
	if !bytes.Equal(first[0], first[1]) {
		t.Error("the same label gives different files")
	}
	if bytes.Contains(first[0], []byte("Nguy")) || bytes.Contains(first[0], []byte("BP00012345")) {
		t.Error("the file's description names the holder")
	}
}

func TestSheets(t *testing.T) {
	for text, want := range map[string]Sheet{"2x7": {2, 7}, "1x1": {1, 1}, "2x8": {2, 8}, "": {}, "2": {}, "0x7": {}, "2x7x1": {}, "100x1": {}} {
		if got, err := ParseSheet(text); got != want || (err == nil) != (want != Sheet{}) {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	l := laidOut(t, content(t, 450), MinModule)
	if _, err := (Sheet{3, 8}).PDF([]*Label{l}, time.Time{}); !errors.Is(err, ErrLabel) {
		t.Errorf("too narrow: %v", err)
	}
	if _, err := (Sheet{2, 8}).PDF(nil, time.Time{}); !errors.Is(err, ErrLabel) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := PDF(nil, time.Time{}); !errors.Is(err, ErrLabel) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := unscaled([]byte("%PDF-1.3")); err == nil {
		t.Error("a file without a trailer was extended")
	}
}

// tool skips when a program of another package is not on this machine.
func tool(t *testing.T, name, from string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian package %s): this reading by an independent program is not done", name, from)
	}
	return p
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", filepath.Base(name), err, out)
	}
	return string(out)
}

// rendered writes the PDF and renders its pages.
func rendered(t *testing.T, pdf []byte, dpi int, more ...string) (file string, pages []string) {
	t.Helper()
	pdftoppm := tool(t, "pdftoppm", "poppler-utils")
	dir := t.TempDir()
	file = filepath.Join(dir, "label.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-r", strconv.Itoa(dpi), "-png"}, append(more, file, filepath.Join(dir, "page"))...)
	if said := command(t, pdftoppm, args...); said != "" {
		t.Errorf("pdftoppm complains: %s", said)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "page*.png"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no page rendered: %v", err)
	}
	return file, pages
}

func decodeFile(t *testing.T, file string) image.Image {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestPDFRendersExactly prints at the resolution of both printers and compares
// every dot of the code, as an independent renderer draws it.
func TestPDFRendersExactly(t *testing.T) {
	for _, dpi := range []int{DPI300, DPI600} {
		in := content(t, 291)
		pdf, err := PDF([]*Label{laidOut(t, in, MinModule)}, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		_, pages := rendered(t, pdf, dpi)
		img := decodeFile(t, pages[0])
		if got := img.Bounds().Dx(); got != baseWidth*dpi/Unit {
			t.Errorf("%d dpi: %d dots wide, want %d", dpi, got, baseWidth*dpi/Unit)
		}
		checkModules(t, fmt.Sprint(dpi), img, in.Code, MinModule*dpi/Unit)
		mustRead(t, fmt.Sprint(dpi), img, payload(291))
	}
}

func TestSheetRenders(t *testing.T) {
	var labels []*Label
	for range 17 {
		labels = append(labels, laidOut(t, content(t, 291), MinModule))
	}
	pdf, err := (Sheet{2, 8}).PDF(labels, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	// The first label's place: no gate looks at a page.
	_, pages := rendered(t, pdf, DPI300, "-x", "0", "-y", "0", "-W", "1240", "-H", "438")
	if len(pages) != 2 {
		t.Errorf("%d pages of 17 labels at 16 a page", len(pages))
	}
	mustRead(t, "second page", decodeFile(t, pages[1]), payload(291))
}

// TestPDFText holds that the letters come out as text, not only as shapes.
func TestPDFText(t *testing.T) {
	pdftotext := tool(t, "pdftotext", "poppler-utils")
	c := content(t, 154)
	c.Name = "Đặng Hữu Phước Ỷ Ễ"
	pdf, err := PDF([]*Label{laidOut(t, c, MinModule)}, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	file, _ := rendered(t, pdf, 72)
	text := command(t, pdftotext, "-enc", "UTF-8", "-layout", file, "-")
	for _, want := range []string{c.Name, c.Number, c.Title, "01/09/2026 – 31/08/2027", "Họ và tên / Name"} {
		if !strings.Contains(norm.NFC.String(text), want) {
			t.Errorf("%q is not in the text: %q", want, text)
		}
	}
	if info := command(t, tool(t, "pdfinfo", "poppler-utils"), file); strings.Contains(info, "Title:") && strings.Contains(info, "Nguy") {
		t.Errorf("pdfinfo: %s", info)
	}
}
