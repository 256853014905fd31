using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>NVIDIA's assembler, <c>ptxas</c>, where it is on the machine.</summary>
public sealed partial class PtxAssembler
{
    /// <summary>Names the program where it is not on the PATH.</summary>
    public const string Variable = "NANOFOLD_PTXAS";

    private readonly string _path;

    private PtxAssembler(string path, string version, IReadOnlyList<string> architectures) => (_path, Version, Architectures) = (path, version, architectures);

    /// <summary>As in 12.4.</summary>
    public string Version { get; }

    /// <summary>That it writes code for, as in <c>sm_90a</c>.</summary>
    public IReadOnlyList<string> Architectures { get; }

    /// <summary>The one that <see cref="Variable"/> names, or the first on the PATH; null where there is none, and why in a line.</summary>
    public static PtxAssembler? Find(out string? reason)
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        string name = OperatingSystem.IsWindows() ? "ptxas.exe" : "ptxas";
        string? path = string.IsNullOrEmpty(named)
            ? (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
            : named;
        if (path is null)
        {
            reason = $"ptxas is not on the PATH: it comes with the CUDA toolkit; {Variable} names it elsewhere";
            return null;
        }

        try
        {
            Match version = VersionText().Match(Run(path, ["--version"]).Text);
            string[] architectures = [.. Architecture().Matches(Run(path, ["--help"]).Text).Select(match => match.Groups["name"].Value).Distinct()];
            reason = version.Success && architectures.Length > 0 ? null : $"{path}: does not answer as ptxas does";
            return reason is null ? new PtxAssembler(path, version.Groups["version"].Value, architectures) : null;
        }
        catch (Exception e) when (e is Win32Exception or IOException)
        {
            reason = $"{path}: cannot be run ({e.Message})";
            return null;
        }
    }

    /// <summary>Whether a program that asks for a target can become code for an architecture.</summary>
    public static bool CanBe(string target, string architecture)
        => target == architecture || (!target.EndsWith('a') && Number(target) <= Number(architecture));

    /// <summary>What a file becomes.</summary>
    /// <param name="file">PTX.</param>
    /// <param name="architecture">As in <c>sm_90a</c>.</param>
    /// <param name="code">Where its code goes, or null.</param>
    /// <param name="cancellation">Ends it.</param>
    public AssembledProgram Assemble(string file, string architecture, string? code = null, CancellationToken cancellation = default)
    {
        string target = code ?? $"{file}.{architecture}";
        try
        {
            (int exit, string text) = Run(_path, ["-v", $"-arch={architecture}", "-o", target, file], cancellation);
            string[] said = [.. text.Split('\n').Where(line => Remark().IsMatch(line)).Select(line => line.Trim())];
            return new AssembledProgram(
                architecture,
                Read(Registers(), text),
                Read(Stores(), text),
                Read(Loads(), text),
                Read(Stack(), text),
                said,
                exit == 0 ? null : said.FirstOrDefault() ?? $"ptxas ended with {exit}");
        }
        finally
        {
            if (code is null)
            {
                File.Delete(target);
            }
        }
    }

    private static (int Exit, string Text) Run(string path, string[] arguments, CancellationToken cancellation = default)
    {
        using Process process = Process.Start(new ProcessStartInfo(path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        using CancellationTokenRegistration kill = cancellation.Register(() => Kill(process));
        Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        string text = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        return (process.ExitCode, text);
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }

    private static int Number(string architecture) => int.Parse(architecture.AsSpan(3).TrimEnd("af"), CultureInfo.InvariantCulture);

    private static int Read(Regex number, string text)
        => number.Match(text) is { Success: true } match ? int.Parse(match.Groups["n"].ValueSpan, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"release (?<version>\d+\.\d+)")]
    private static partial Regex VersionText();

    [GeneratedRegex(@"'(?<name>sm_\d+[a-f]?)'")]
    private static partial Regex Architecture();

    [GeneratedRegex(@"Used (?<n>\d+) registers")]
    private static partial Regex Registers();

    [GeneratedRegex(@"(?<n>\d+) bytes spill stores")]
    private static partial Regex Stores();

    [GeneratedRegex(@"(?<n>\d+) bytes spill loads")]
    private static partial Regex Loads();

    [GeneratedRegex(@"(?<n>\d+) bytes stack frame")]
    private static partial Regex Stack();

    /// <summary>Errors, warnings, and what it says of performance (C75xx).</summary>
    [GeneratedRegex(@"\berror\b|\bwarning\b|\bfatal\b|\(C\d+\)", RegexOptions.IgnoreCase)]
    private static partial Regex Remark();
}
