// Package fitting makes drivers of what a gate's file says of its devices.
//
// It is the one place that knows both, so that the daemon and the technician's
// tool cannot differ in how they work a device. Nothing is opened here.
package fitting
