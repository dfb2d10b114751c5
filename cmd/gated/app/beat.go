package app

import (
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// beat feeds the service manager's watchdog from the lane's loop, after it has
// completed a turn: a loop that stands still is not alive, whatever else runs.
func (a *App) beat() func() {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil || limit <= 0 {
		return nil
	}
	var last time.Time
	return func() {
		if now := time.Now(); now.Sub(last) >= limit/3 {
			last = now
			a.tellManager(daemon.SdNotifyWatchdog)
		}
	}
}

// tellManager is a no-op where there is no service manager.
func (a *App) tellManager(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		a.log.Warn("Service manager was not told", "error", err)
	}
}
