package fitting

import (
	"log/slog"
	"testing"
	"time"

	"bordergate/configs"
	"bordergate/hal/scanner"
)

// TestEveryFileMakesItsDrivers: whatever the rules of the file let through, the
// drivers take.
func TestEveryFileMakesItsDrivers(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	g := configs.DefaultGate()
	g.Turnstile.Port, g.Scanner.Port = "/dev/gate/barrier", "/dev/gate/scanner"
	for _, profile := range []string{"waveshare", "lc", "hw584", "fc06", "sfar", "own"} {
		g.Turnstile.Profile = profile
		if _, err := Turnstile(g.Turnstile, log); err != nil {
			t.Errorf("%s: %v", profile, err)
		}
	}
	for _, driver := range []string{"lot", "swing7e"} {
		c := g.Turnstile
		c.Driver, c.Poll = driver, 50*time.Millisecond
		c.Swing7E.Codes = []string{
			"fault 0", "fault 5 out_of_service", "gate 14 emergency door_open", "infrared 0x02 obstruction", "command 0", "command 17 open_left", "command 18 open_right",
		}
		if _, err := Turnstile(c, log); err != nil {
			t.Errorf("%s: %v", driver, err)
		}
	}
	for _, dialect := range []string{"plain", "honeywell", "datalogic", "newland", "zebra"} {
		g.Scanner.Dialect, g.Scanner.NewlandTrigger = dialect, ""
		if dialect == "newland" {
			g.Scanner.NewlandTrigger = "SCNTRG"
		}
		o, err := Scanner(g.Scanner, log)
		if err == nil {
			_, err = scanner.New(o)
		}
		if err != nil || o.Port.Path != g.Scanner.Port {
			t.Errorf("%s: %v", dialect, err)
		}
	}
	g.Scanner.Dialect = "wedge"
	if _, err := Scanner(g.Scanner, log); err == nil {
		t.Error("an unknown dialect is taken")
	}
}
