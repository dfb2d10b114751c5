package app

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"bordergate/biometrics"
	"bordergate/configs"
)

// livenessRule is the manifest's threshold, or that of the camera's own
// calibration. One of another camera or model is refused; an old one is used
// and complained about.
func livenessRule(cfg *configs.Gate, m *configs.Models, now time.Time, log *slog.Logger) (biometrics.LivenessRule, error) {
	rule := biometrics.DefaultLivenessRule()
	rule.Threshold = m.Liveness.Threshold
	path := cfg.Cameras.Face.Calibration
	if path == "" {
		return rule, nil
	}
	const cure = "make it anew with: gatectl face calibrate"
	c, err := configs.LoadCalibration(path)
	if err != nil {
		return rule, fmt.Errorf("load cameras.face.calibration: %w (%s)", err, cure)
	}
	net, _ := m.ByUse(configs.UseLiveness)
	if bad := c.Mismatches(cfg, biometrics.ModelID(net.Name, net.SHA256), biometrics.LivenessRuleVersion, m.Liveness); len(bad) > 0 {
		return rule, fmt.Errorf("use cameras.face.calibration: it is not of this camera: %s (%s)", strings.Join(bad, "; "), cure)
	}
	if now.After(c.Expires()) {
		log.Warn("Calibration of the face camera is old", "made", c.Made, "hint", cure)
	}
	rule.Threshold, rule.Place, rule.Calibration = c.Threshold, biometrics.Place(c.Place), c.ID()
	return rule, nil
}
