package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bordergate/biometrics"
	"bordergate/configs"
	"bordergate/gate/screen"
	"bordergate/hal/vision"
)

// TestTheScreenKnowsEveryHint: what the face camera may advise has its words
// and its picture.
func TestTheScreenKnowsEveryHint(t *testing.T) {
	for _, h := range biometrics.Hints() {
		if !slices.Contains(screen.Hints(), string(h)) {
			t.Errorf("the screen does not know the hint %s", h)
		}
	}
}

func TestTheScreenHasTheLanguagesOfTheConfiguration(t *testing.T) {
	if got := configs.DefaultGate().Screen.Languages; !slices.Equal(got, screen.Languages()) {
		t.Errorf("the configuration has %v, the screen %v", got, screen.Languages())
	}
}

// TestTheMirrorShowsOnlyWhatItAskedFor: nothing of before it was asked for,
// nothing after it ended, and the camera that comes later is asked as well.
func TestTheMirrorShowsOnlyWhatItAskedFor(t *testing.T) {
	var shown []string
	var asked []bool
	m := mirror{paint: func(b []byte) { shown = append(shown, string(b)) }}
	m.ask(true)
	m.attach(func(on bool) { asked = append(asked, on) })
	m.view(vision.View{FrameAt: m.since - 1, JPEG: []byte("before")})
	m.view(vision.View{FrameAt: monoNow(), JPEG: []byte("now")})
	m.ask(false)
	m.view(vision.View{FrameAt: monoNow(), JPEG: []byte("after")})
	if len(shown) != 1 || shown[0] != "now" {
		t.Errorf("shown %q", shown)
	}
	if len(asked) != 2 || !asked[0] || asked[1] {
		t.Errorf("asked %v", asked)
	}
}

// TestAGateThatStaysClosedSaysSoToTravellers: the screen is there although
// everything else is missing.
func TestAGateThatStaysClosedSaysSoToTravellers(t *testing.T) {
	cfg := configs.DefaultGate()
	dir := t.TempDir()
	cfg.Paths = configs.Paths{State: dir, Identity: filepath.Join(dir, "none"), Control: filepath.Join(dir, "c.sock")}
	cfg.Status.Listen, cfg.Screen.Listen, cfg.Screen.Start = "127.0.0.1:0", "127.0.0.1:0", filepath.Join(dir, "kiosk", "start")
	a := New(&cfg, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	ctx, end := context.WithCancel(t.Context())
	go func() { done <- a.Serve(ctx) }()
	t.Cleanup(func() {
		end()
		<-done
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	first, err := os.ReadFile(cfg.Screen.Start)
	if err != nil {
		t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil) // never fails
	kiosk := http.Client{Jar: jar}
	page, err := kiosk.Get(strings.TrimSpace(string(first)))
	if err != nil || page.StatusCode != http.StatusOK {
		t.Fatalf("the first address gives %v %v", page, err)
	}
	_ = page.Body.Close()
	u := page.Request.URL
	u.Path = "/events"
	events, err := kiosk.Get(u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(events.Body, 120)) // as much as the first message has
	if text := string(b); !strings.Contains(text, `"step":"closed"`) {
		t.Errorf("the screen shows %s", text)
	}
}
