package configs

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"
)

// TestFilesOfAnotherKind gives what a technician may point at by mistake, or
// somebody else on purpose.
func TestFilesOfAnotherKind(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"nothing at all":  {"", "is empty"},
		"a comment alone": {"# gate\n", "is empty"},
		"a program":       {"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00", "is not YAML"},
		"a picture":       {"\xff\xd8\xff\xe0\x00\x10JFIF", "is not YAML"},
		"10 MB":           {strings.Repeat("a: 1\n", 2<<20), "longer than 256 KiB"},
		"a tab":           {"version: 1\ngate:\n\tid: lane-1\n", "is not YAML"},
		"a key twice":     {"version: 1\nversion: 1\n", "a second time"},
		"only a number":   {"42", "list of keys and values"},
		"aliases of themselves": {"version: 1\na: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ngate: *d\n", "uses an anchor or an alias"},
		"brackets without end": {strings.Repeat("[", 200<<10), "is not YAML"},
		"a key that merges":    {"version: 1\ngate:\n  <<: {id: lane-1}\n", "not a key that is known here"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gate.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			says(t, path, c.says)
		})
	}
}

// says holds that a file yields no configuration and faults that say why, each
// with its place or none where the file could not be read.
func says(t *testing.T, path, text string) {
	t.Helper()
	gate, faults := LoadGate(path)
	if gate != nil || len(faults) == 0 || !strings.Contains(faults.Error(), text) {
		t.Fatalf("gate %v, faults %.600v; want %q", gate, faults, text)
	}
	for _, f := range faults {
		if f.File != path || len(f.Error()) > 1000 {
			t.Errorf("poor fault %+v", f)
		}
	}
}

func TestPathsThatAreNoFile(t *testing.T) {
	dir := t.TempDir()
	says(t, dir, "it is a folder")
	says(t, "/dev/zero", "it is a device")
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, pipe, "a pipe") // and does not wait for somebody to write
	says(t, filepath.Join(dir, "none", "gate.yaml"), "no such file")
	says(t, filepath.Join(pipe, "gate.yaml"), "not a directory")
	locked := filepath.Join(dir, "locked.yaml")
	if err := os.WriteFile(locked, []byte("version: 1"), 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 { // whom no rights keep out
		says(t, locked, "permission denied")
	}
}

// TestEditorsOfOtherSystems: what they add changes nothing.
func TestEditorsOfOtherSystems(t *testing.T) {
	text := validGate(t)
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for name, text := range map[string]string{
		"CRLF": strings.ReplaceAll(text, "\n", "\r\n"), "byte order mark": "\ufeff" + text, "UTF-16": string(wide),
	} {
		gate, faults := parseGate(text)
		if err := faults.Err(); err != nil || gate.Gate.ID != "lane-1" || gate.HQ.Broker != "ssl://hq.example:8883" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTwentyFaultsAreTwenty: none hides another, and each has its cure.
func TestTwentyFaultsAreTwenty(t *testing.T) {
	_, faults := LoadGate("testdata/gate.twenty-faults.yaml")
	seen := map[string]bool{}
	for _, f := range faults {
		if f.Line < 2 || f.Column < 1 || f.Path == "" || f.Message == "" {
			t.Errorf("poor fault %+v", f)
		}
		seen[f.Path] = true
	}
	if len(faults) != 20 || len(seen) != 20 {
		t.Errorf("%d faults at %d keys:\n%v", len(faults), len(seen), faults)
	}
}
