using System.Diagnostics;

namespace NanoFold.Tests.Launcher;

/// <summary>
/// A copy of the repository's scripts in a folder of its own, on a machine whose <c>dotnet</c> is a script that notes its
/// calls and does what the environment variables FAKE_… say. Only the commands given to it are found.
/// </summary>
internal sealed class FakeMachine : IDisposable
{
    private const string FakeDotnet = """
        #!/bin/sh
        echo "$*" >> "$FAKE_LOG"
        case $1 in
            --version) echo "${FAKE_SDK:-10.0.100}" ;;
            nuget) echo "${FAKE_SOURCES:-nuget.org}" ;;
            test) printf '%b' "$FAKE_TEST"; exit "${FAKE_EXIT:-0}" ;;
            restore)
                if [ -n "${FAKE_RESTORE:-}" ]; then
                    echo "GpuProbe.csproj : error $FAKE_RESTORE: as asked for"
                    exit 1
                fi ;;
            build)
                if [ -n "${FAKE_BUILD:-}" ]; then
                    echo "$FAKE_BUILD"
                    exit 1
                fi
                sleep "${FAKE_SLEEP:-0}"
                mkdir -p tools/NanoFold.Cli/bin/Release/net10.0 tools/NanoFold.Cli/obj
                : > tools/NanoFold.Cli/bin/Release/net10.0/nanofold.dll ;;
            *)
                shift
                echo "in $PWD with $# arguments: $*"
                exit "${FAKE_EXIT:-0}" ;;
        esac
        """;

    private static readonly string[] s_commands =
        ["sh", "bash", "cat", "cksum", "dirname", "find", "flock", "grep", "kill", "mkdir", "mktemp", "mv", "readlink", "rm", "sed", "sleep", "sort", "tee", "wc"];

    private readonly TemporaryFolder _folder = new();
    private readonly string _log;

    public FakeMachine(params string[] withoutCommands)
    {
        _log = _folder["log"];
        Root = Directory.CreateDirectory(_folder["a folder"]).FullName;
        string commands = Directory.CreateDirectory(Commands).FullName;
        foreach (string command in s_commands.Except(withoutCommands))
        {
            string? found = new[] { "/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin" }.Select(folder => Path.Combine(folder, command)).FirstOrDefault(File.Exists);
            if (found is not null)
            {
                File.CreateSymbolicLink(Path.Combine(commands, command), found);
            }
        }

        if (!withoutCommands.Contains("dotnet"))
        {
            AddScript(Path.Combine(commands, "dotnet"), FakeDotnet);
        }

        AddScript(this["nanofold"], File.ReadAllText(RepositoryRoot.File("nanofold")));
        AddScript(this[".ci/run"], File.ReadAllText(RepositoryRoot.File(".ci/run")));
        foreach (string source in new[] { "engine/Engine/Part.cs", "kernels/Kernels/Kernel.cs", "tools/NanoFold.Cli/Program.cs", "Directory.Build.props", "Directory.Packages.props" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(this[source])!);
            File.WriteAllText(this[source], source);
        }

        Age(TimeSpan.FromHours(2));
    }

    /// <summary>The copy's root; there is a space in its path.</summary>
    public string Root { get; }

    /// <summary>What is set for the next start.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    public string Elsewhere => Directory.CreateDirectory(_folder["else where"]).FullName;

    public string this[string name] => Path.Combine(Root, name);

    private string Commands => _folder["commands"];

    /// <summary>The first words of the calls of dotnet since the last time this was asked; RUN for the program itself.</summary>
    public string[] Calls()
    {
        string[] lines = File.Exists(_log) ? File.ReadAllLines(_log) : [];
        File.Delete(_log);
        return [.. lines.Select(line => line.Contains("nanofold.dll", StringComparison.Ordinal) ? "RUN" : line.Split(' ')[0])];
    }

    /// <summary>Lets time go by: everything was last written that much earlier.</summary>
    public void Age(TimeSpan by)
    {
        foreach (FileSystemInfo entry in new DirectoryInfo(Root).EnumerateFileSystemInfos("*", SearchOption.AllDirectories))
        {
            entry.LastWriteTimeUtc -= by;
        }
    }

    public (int ExitCode, string Output, string Error) Start(string? script = null, string? workingFolder = null, params string[] arguments)
    {
        using Process process = Begin(script, workingFolder, arguments);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    public Process Begin(string? script = null, string? workingFolder = null, params string[] arguments)
    {
        var start = new ProcessStartInfo(script ?? this["nanofold"], arguments)
        {
            WorkingDirectory = workingFolder ?? Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = Commands;
        start.Environment["HOME"] = Elsewhere;
        start.Environment["FAKE_LOG"] = _log;
        foreach ((string name, string value) in Environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    public void Dispose() => _folder.Dispose();

    private static void AddScript(string path, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        }
    }
}
