# Two programs in one image: metrics (the single process) and metrics-silo (a silo of a cluster). Neither needs root.
#   docker build -t metrics .
#   docker run -p 10902:10902 -v metrics:/data metrics
#   docker run metrics silo/metrics-silo.dll serve --objstore.config-file /etc/metrics/objstore.yml ...
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /src
COPY . .
RUN dotnet publish src/Gateway -c Release -o /app/metrics -p:UseAppHost=false \
 && dotnet publish src/Silo -c Release -o /app/silo -p:UseAppHost=false

FROM mcr.microsoft.com/dotnet/aspnet:10.0
COPY --from=build /app/metrics /app/metrics
COPY --from=build /app/silo /app/silo
RUN mkdir /data && chown $APP_UID /data
USER $APP_UID
VOLUME /data
EXPOSE 10902 11111
WORKDIR /app
# The young generation, 4 MiB instead of what the processor's cache suggests (26 MiB on large ones): little is allocated, and what lies there waits long to be collected. Only the environment can say so.
ENV DOTNET_GCgen0size=0x400000
# SIGTERM hands shards over and ends with 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["dotnet"]
CMD ["metrics/metrics.dll", "serve", "--data-dir", "/data", "--http-listen", "0.0.0.0:10902"]
