//go:build linux && !race

package livetest

const race = false
