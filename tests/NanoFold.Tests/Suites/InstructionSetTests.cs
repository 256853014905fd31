using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using System.Text.RegularExpressions;

namespace NanoFold.Tests.Suites;

/// <summary>The ops on machines with fewer instructions: the suite again, in processes that may not use them.</summary>
[Parallelizable]
public partial class InstructionSetTests
{
    /// <summary>What a child process runs; this class is not in it, so that children have no children.</summary>
    public const string Category = "Instructions";

    private const string Variable = "NANOFOLD_TEST_INSTRUCTIONS";

    /// <summary>The setting of the runtime that is off in this process, or null.</summary>
    public static string? SwitchedOff => Environment.GetEnvironmentVariable(Variable);

    [TestCase("DOTNET_EnableAVX2", Category = "Long")]
    [TestCase("DOTNET_EnableHWIntrinsic")]
    public void TheOpsAreRightWithout(string setting)
    {
        string host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        var start = new ProcessStartInfo(host, ["vstest", typeof(InstructionSetTests).Assembly.Location, $"--TestCaseFilter:TestCategory={Category}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = TestContext.CurrentContext.WorkDirectory,
        };
        start.Environment[setting] = "0";
        start.Environment[Variable] = setting;
        using Process child = Process.Start(start)!;
        Task<string> errors = child.StandardError.ReadToEndAsync();
        string output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        Assert.That(child.ExitCode, Is.Zero, output + errors.Result);
        Match passed = Passed().Match(output);
        Assert.That(passed.Success && int.Parse(passed.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture) > 100, output);
    }

    [Test]
    [Category(Category)]
    public void TheSettingHolds()
    {
        switch (SwitchedOff)
        {
            case "DOTNET_EnableAVX2":
                Assert.That(Avx2.IsSupported || Fma.IsSupported, Is.False);
                break;
            case "DOTNET_EnableHWIntrinsic":
                Assert.That(System.Runtime.Intrinsics.Vector128.IsHardwareAccelerated || Sse42.IsSupported, Is.False);
                break;
            default:
                Assert.That(SwitchedOff, Is.Null.Or.Empty, "a setting that nobody checks");
                break;
        }
    }

    [GeneratedRegex(@"Passed:\s+(\d+)")]
    private static partial Regex Passed();
}
