# The image is made of what `make image` puts into out/image on the host: the static binary,
# CA certificates, and busybox as /bin/sh and its friends where the host has a static one. Without
# busybox the image runs http jobs and programs that you add, and shell jobs with a shell do not start.
FROM scratch
COPY --chown=65532:65532 out/image/ /
USER 65532:65532
ENV PATH=/bin ORRERY_DATA_DIR=/data ORRERY_STOP=wait ORRERY_STOP_TIMEOUT=8s
VOLUME /data
# the API; the gossip; what members say to each other
EXPOSE 8080 8946/tcp 8946/udp 6868
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["/bin/orrery", "health", "--patience", "1s"]
ENTRYPOINT ["/bin/orrery"]
CMD ["agent"]
