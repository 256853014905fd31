using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Outside;

/// <summary>
/// The program of <c>tests/NanoFold.Outside</c>, in a temporary folder: packages are packed of what the suite built, added, built with, installed, and run. All of it
/// is one process of a shell that begins with the suite and works beside it; nothing of it happens in this process until somebody asks for what came of it.
/// </summary>
internal sealed partial class OutsideProject : IDisposable
{
    private const string Version = "0.1.0-suite";

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(8);
    private static readonly Lazy<OutsideProject> s_begun = new(() => new OutsideProject());

    private readonly TemporaryFolder _folder = new();
    private readonly Process _shell;

    private OutsideProject()
    {
        Copy(RepositoryRoot.File("tests/NanoFold.Outside"), this["program"]);
        File.WriteAllText(this["text.txt"], string.Concat(Enumerable.Repeat(TrainRig.Text, 20)));
        string packages = Directory.CreateDirectory(this["packages"]).FullName;
        // Nothing is asked of a network: what the packages need was restored for the suite.
        string restore = RepositoryRoot.File("tools/NanoFold.Cli/obj/project.assets.json");
        if (!File.Exists(restore))
        {
            Assert.Ignore("the tests do not run where they were built, so that there is nothing to pack");
        }

        using JsonDocument assets = JsonDocument.Parse(File.ReadAllText(restore));
        string restored = string.Join("", assets.RootElement.GetProperty("packageFolders").EnumerateObject().Select(folder => folder.Name).Select((folder, i) => $"<add key=\"restored{i}\" value=\"{folder}\"/>"));
        File.WriteAllText(this["nuget.config"], $"""
            <configuration>
              <packageSources><clear/><add key="packed" value="{packages}"/></packageSources>
              <fallbackPackageFolders><clear/>{restored}</fallbackPackageFolders>
              <config><add key="globalPackagesFolder" value="{this["extracted"]}"/></config>
            </configuration>
            """);
        HasGpu = assets.RootElement.GetProperty("libraries").EnumerateObject().Any(library => library.Name.StartsWith("NanoFold.Kernels.Gpu/", StringComparison.Ordinal));
        _shell = Begin(string.Join(" && ", Steps(packages)));
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Dispose();
    }

    /// <summary>Whether the packages have the backend of GPUs, as the suite was built.</summary>
    public bool HasGpu { get; }

    /// <summary>Begins, where that has not happened yet.</summary>
    public static void Start() => _ = s_begun.Value;

    /// <summary>All of it done; skips the running test with a reason where packages of others cannot be restored here.</summary>
    public static OutsideProject Done()
    {
        OutsideProject project = s_begun.Value;
        Assert.That(project._shell.WaitForExit(s_patience), $"it takes more than {s_patience}");
        string log = File.ReadAllText(project["log"]);
        if (project._shell.ExitCode != 0 && Unrestored().Match(log) is { Success: true } missing)
        {
            Assert.Ignore($"packages cannot be restored here: {missing.Value}");
        }

        Assert.That(project._shell.ExitCode, Is.Zero, log);
        return project;
    }

    /// <summary>Ends what still runs, and deletes the folder.</summary>
    public static void Delete() => s_begun.Value.Dispose();

    /// <summary>The full path of what lies in the folder.</summary>
    public string this[string name] => _folder[name];

    /// <summary>What a step wrote: one object of JSON.</summary>
    public JsonElement Json(string step) => JsonDocument.Parse(File.ReadAllText(this[step])).RootElement;

    /// <summary>Runs the program, or the tool, once more.</summary>
    public (int Code, string Output, string Error) Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Executable(program), arguments) { RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = _folder.Path })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error.Trim());
    }

    public void Dispose()
    {
        if (!_shell.HasExited)
        {
            _shell.Kill(entireProcessTree: true);
            _shell.WaitForExit();
        }

        if (Directory.Exists(_folder.Path))
        {
            _folder.Dispose();
        }
    }

    private IEnumerable<string> Steps(string packages)
    {
        string dotnet = Quoted(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet");
        string gpu = $"-p:Gpu={(HasGpu ? "true" : "false")}";
        string configuration = new DirectoryInfo(TestContext.CurrentContext.TestDirectory).Parent!.Name;
        string program = Quoted(Executable("program")), tool = Quoted(Executable("tool")), log = $">> {Quoted(this["log"])} 2>&1", project = Quoted(this["program"]);
        yield return $"{dotnet} msbuild {Quoted(RepositoryRoot.File("tools/pack.proj"))} -nologo -v:q -nodeReuse:false"
            + $" -p:Configuration={configuration} {gpu} -p:PackageVersion={Version} {Quoted($"-p:PackageOutputPath={packages}/")} {log}";
        yield return $"{dotnet} add {project} package NanoFold.Cli --version {Version} --no-restore {log}";
        yield return $"{dotnet} build {project} -c Release --nologo -v q -nodeReuse:false {gpu} {log}";
        yield return $"{dotnet} tool install NanoFold.Tool --version {Version} --tool-path {Quoted(this["tool"])} {log}";
        yield return $"{program} check > {Quoted(this["check"])} 2>> {Quoted(this["log"])}";
        string config = Quoted(this["program/outside.json"]), text = Quoted(this["text.txt"]), run = Quoted(this["run"]);
        foreach ((string step, string arguments) in new[]
        {
            ("train", $"train --config {config} --data {text} --out {run} --threads 1"),
            ("eval", $"eval --model {run} --data {text} --threads 1"),
            ("generate", $"generate --model {run} --prompt no. --max-tokens 12 --seed 1"),
            ("echo-train", $"train --config {config} --task echo --out {Quoted(this["echo"])} --threads 1"),
            ("echo-eval", $"eval --model {Quoted(this["echo"])} --threads 1"),
            ("settings", "settings model.mixer.slowest"),
        })
        {
            yield return $"{program} {arguments} --json > {Quoted(this[step])} 2>> {Quoted(this["log"])}";
        }

        yield return $"{tool} settings model.width --json > {Quoted(this["tool-settings"])} 2>> {Quoted(this["log"])}";
    }

    private Process Begin(string line)
    {
        var start = OperatingSystem.IsWindows() ? new ProcessStartInfo("cmd.exe") { Arguments = $"/s /c \"{line}\"" } : new ProcessStartInfo("sh", ["-c", line]);
        start.WorkingDirectory = _folder.Path;
        start.Environment["DOTNET_NOLOGO"] = start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        return Process.Start(start)!;
    }

    private string Executable(string program)
    {
        string suffix = OperatingSystem.IsWindows() ? ".exe" : "";
        return program == "tool" ? this[$"tool/nanofold{suffix}"] : this[$"program/bin/Release/net10.0/NanoFold.Outside{suffix}"];
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }
    }

    private static string Quoted(string text) => $"\"{text}\"";

    [GeneratedRegex(@"error NU1(101|102|301): (?![^\n]*NanoFold)[^\n]*", RegexOptions.CultureInvariant)]
    private static partial Regex Unrestored();
}
