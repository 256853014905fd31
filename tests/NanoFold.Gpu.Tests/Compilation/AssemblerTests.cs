using System.Runtime.InteropServices;
using NanoFold.Engine.Ops;
using NanoFold.Tests;

namespace NanoFold.Gpu.Tests.Compilation;

/// <summary>
/// What NVIDIA's assembler makes of a program of each group, where it is on the machine: no more registers and no more spilled bytes than registers.tsv has. That is the
/// groups.tsv of <c>kernels --sample --assemble sm_80,sm_90 --emit DIR</c>, and of those by warpgroups, which are for sm_90a only, that of <c>--only wgmma</c> and of
/// <c>--only hopper --assemble sm_90a</c>.
/// </summary>
public class AssemblerTests
{
    private const string Table = "tests/NanoFold.Gpu.Tests/Compilation/registers.tsv";

    /// <param name="architecture">To assemble for.</param>
    /// <param name="every">Of the groups each so-manieth is taken.</param>
    [TestCase("sm_90", 8)]
    [TestCase("sm_90a", 6)]
    [TestCase("sm_80", 1, Category = "Long")]
    [TestCase("sm_90", 1, Category = "Long")]
    [TestCase("sm_90a", 1, Category = "Long")]
    public void NoProgramTakesMoreThanTheTableHas(string architecture, int every)
    {
        PtxAssembler? assembler = PtxAssembler.Find(out string? reason);
        if (assembler is null)
        {
            Assert.Ignore(reason!);
        }

        (string version, IReadOnlyList<ProgramGroup> table) = ProgramTable.ReadGroups(File.ReadAllText(RepositoryRoot.File(Table)));
        if (assembler.Version != version)
        {
            Assert.Ignore($"{Table} is of ptxas {version}, and this is {assembler.Version}, which may allot registers otherwise");
        }

        using var programs = new GpuPrograms(typeof(OpCases).Assembly);
        GpuProgram[] sample = [.. programs.Sample.Where(program => IsByWarpgroups(program) == architecture.EndsWith('a')).Where((_, i) => i % every == 0)];
        var rows = new ProgramRow[sample.Length];
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nanofold-ptx-");
        try
        {
            Parallel.For(0, rows.Length, i => rows[i] = ProgramRow.Write(sample[i], folder.FullName, assembler, [architecture]));
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        Assert.That(rows.SelectMany(row => row.Findings.Faults.Concat(row.Assembled.Select(made => made.Error).OfType<string>()).Select(fault => $"{row.Name}: {fault}")), Is.Empty);
        Dictionary<string, ProgramGroup> known = table.Where(group => group.Architecture == architecture).ToDictionary(group => group.Name);
        IEnumerable<string> more = ProgramGroup.Of(rows).Where(group => !known.TryGetValue(group.Name, out ProgramGroup? most) || group.MostRegisters > most.MostRegisters || group.MostSpilledBytes > most.MostSpilledBytes)
            .Select(group => $"{group.Name}: {group.MostRegisters} registers, {group.MostSpilledBytes} bytes spilled; the table has {(known.TryGetValue(group.Name, out ProgramGroup? most) ? $"{most.MostRegisters}, {most.MostSpilledBytes}" : "no such group")}");
        Assert.That(more, Is.Empty);
    }

    private static bool IsByWarpgroups(GpuProgram program) => program.Group.StartsWith("Wgmma", StringComparison.Ordinal) || program.Group.Contains("by warpgroups", StringComparison.Ordinal);

    [Test]
    public void ATableIsReadAsItWasWritten()
    {
        ProgramGroup[] groups = [new("Mma 64x64", "sm_90a", 3, 90, 96, 1, 12), new("flash Forward 64, documents", "sm_80", 1, 254, 254, 0, 0)];
        Assert.That(ProgramTable.ReadGroups(ProgramTable.Of("12.4", groups)).Groups, Is.EqualTo(groups));
        Assert.That(ProgramTable.ReadGroups(ProgramTable.Of("12.4", groups)).Version, Is.EqualTo("12.4"));
    }

    [TestCase("sm_80", "sm_90a", true)]
    [TestCase("sm_60", "sm_80", true)]
    [TestCase("sm_90", "sm_80", false)]
    [TestCase("sm_90a", "sm_90a", true)]
    [TestCase("sm_90a", "sm_90", false)]
    [TestCase("sm_90a", "sm_120", false)]
    public void ATargetBecomesCodeOfLaterDevicesUnlessItIsForOneOnly(string target, string architecture, bool can)
        => Assert.That(PtxAssembler.CanBe(target, architecture), Is.EqualTo(can));

    [Test]
    public void AnAssemblerThatIsNoneIsRefusedInALine()
    {
        if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
        {
            Assert.Ignore("needs a program that answers nothing");
        }

        string? before = Environment.GetEnvironmentVariable(PtxAssembler.Variable);
        try
        {
            Environment.SetEnvironmentVariable(PtxAssembler.Variable, "/bin/true");
            Assert.That(PtxAssembler.Find(out string? reason), Is.Null);
            Assert.That(reason, Is.EqualTo("/bin/true: does not answer as ptxas does"));
            Environment.SetEnvironmentVariable(PtxAssembler.Variable, "/nowhere/ptxas");
            Assert.That(PtxAssembler.Find(out reason), Is.Null);
            Assert.That(reason, Does.StartWith("/nowhere/ptxas: cannot be run"));
        }
        finally
        {
            Environment.SetEnvironmentVariable(PtxAssembler.Variable, before);
        }
    }
}
