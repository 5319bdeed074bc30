# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The Java programs of the stack: fetched once by Maven into the user's cache, started faster through class-data archives.
# To be sourced.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/godwit
JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java
POM=$HERE/kafka/pom.xml

pom_property() { # NAME
    sed -n "s#.*<$1>\(.*\)</$1>.*#\1#p" "$POM"
}

# Sets JARS (folder of the fetched programs) and JAVA_KEY (what makes a class-data archive valid).
java_locate() {
    local version
    version=$("$JAVA" -version 2>&1) || die 1 "no Java found: run deploy/packages"
    if ! [[ $version =~ version\ \"([0-9]+) ]] || ((BASH_REMATCH[1] < 17)); then
        die 1 "Java 17 or later needed, '$JAVA' is: ${version%%$'\n'*}"
    fi
    JAVA_KEY=$(sha256sum <<<"$version" | cut -c1-12)
    JARS=$CACHE/kafka-$(pom_property kafka.version)-registry-$(pom_property registry.version)-$(sha256sum <"$POM" | cut -c1-8)
}

# Maven does not look at the environment's proxies: prints them as its global settings, below the user's own.
maven_settings() {
    local scheme variable
    echo '<settings><proxies>'
    for scheme in http https; do
        variable=${scheme}_proxy
        if [[ ${!variable:-} =~ ^([a-z]+://)?(([^:@/]*):([^@/]*)@)?([^:/@]+)(:([0-9]+))?/?$ ]]; then
            printf '<proxy><id>%s</id><protocol>%s</protocol><host>%s</host><port>%s</port>' "environment-$scheme" "$scheme" \
                "${BASH_REMATCH[5]}" "${BASH_REMATCH[7]:-80}"
            printf '<username>%s</username><password>%s</password>' "${BASH_REMATCH[3]}" "${BASH_REMATCH[4]}"
            printf '<nonProxyHosts>%s</nonProxyHosts></proxy>\n' "$(sed 's/ *, */|/g; s/|\./|*./g; s/^\./*./' <<<"${no_proxy:-}")"
        fi
    done
    echo '</proxies></settings>'
}

# Downloads to a folder aside and renames it, so that a reader sees all or nothing; stacks that start at once wait here.
java_fetch() {
    [[ -d $JARS ]] && return
    mkdir -p "$CACHE"
    (
        flock 8
        [[ -d $JARS ]] && exit
        note "fetching Kafka and the schema registry (once, about 200 MB) ..."
        rm -rf "$JARS.part"
        mkdir -p "$JARS.part"
        cp "$POM" "$JARS.part/pom.xml"
        local settings=()
        if [[ -n ${https_proxy:-}${http_proxy:-} ]]; then
            (umask 077 && maven_settings >"$JARS.part/settings.xml")
            settings=(-gs "$JARS.part/settings.xml")
        fi
        # MAVEN_ARGS is read by Maven itself from 3.9 on; 3.8 needs it on the command line, and twice does no harm.
        # shellcheck disable=SC2086
        mvn -q -B -f "$JARS.part/pom.xml" "${settings[@]}" ${MAVEN_ARGS:-} package -Dout="$JARS.part" 2>&1 | sed 's/\x1b\[[0-9;]*m//g' >&2 || exit 1
        [[ -d $JARS.part/kafka/lib && -n $(compgen -G "$JARS.part/registry/*-runner.jar") ]] || exit 1
        rm -f "$JARS.part/settings.xml"
        mv "$JARS.part" "$JARS"
    ) 8>"$CACHE/fetch.lock" || die 1 "fetching the Java programs failed"
}

# Garbage collector and heap. The collector is part of the archive's name: archives hold what one collector laid out.
java_collector() {
    case $PROFILE in
    test) echo SerialGC ;;
    quickstart | bench) echo G1GC ;;
    esac
}

archive_path() { # NAME COLLECTOR
    printf '%s/cds/%s-%s-%s-%s.jsa\n' "$CACHE" "$1" "${JARS##*/}" "$JAVA_KEY" "$2"
}

# Prints the option that uses the archive, or the one that writes it at a clean exit when there is none yet.
archive_option() { # NAME COLLECTOR
    local archive
    archive=$(archive_path "$1" "$2")
    if [[ -s $archive ]]; then
        echo "-XX:SharedArchiveFile=$archive"
    else
        echo "-XX:ArchiveClassesAtExit=$DIR/run/$1-$2.jsa"
    fi
}

# After a clean exit: moves the archive that the process has written to the cache.
archive_keep() { # NAME COLLECTOR
    local written=$DIR/run/$1-$2.jsa archive
    archive=$(archive_path "$1" "$2")
    [[ -s $written ]] || return 0
    mkdir -p "${archive%/*}"
    mv "$written" "$archive.$$" && mv "$archive.$$" "$archive"
}
