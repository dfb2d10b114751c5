package fitting

import (
	"log/slog"
	"time"

	"bordergate/configs"
	"bordergate/hal/port"
	"bordergate/hal/scanner"
)

// idleGap is the silence that ends a scan where nothing else does.
const idleGap = 100 * time.Millisecond

// Scanner is what the file says of the scanner, for its driver.
func Scanner(c configs.Scanner, log *slog.Logger) (scanner.Options, error) {
	o := scanner.DefaultOptions()
	var err error
	if o.Dialect, err = scanner.ParseDialect(c.Dialect); err != nil {
		return o, err
	}
	if c.Framing == "idle" {
		o.Framing, o.Gap = scanner.Idle, idleGap
	}
	o.Name, o.Log, o.AIM = "scanner", log, c.AIM
	o.Port = port.Options{Path: c.Port, Baud: c.Baud, Parity: port.ParityNone}
	o.NewlandTrigger, o.NewlandQuery, o.ZebraTypeOnce = c.NewlandTrigger, c.NewlandQuery, c.ZebraTypeOnce
	return o, nil
}
