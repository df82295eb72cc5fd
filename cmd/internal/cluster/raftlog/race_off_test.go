//go:build !race

package raftlog

const race = false
