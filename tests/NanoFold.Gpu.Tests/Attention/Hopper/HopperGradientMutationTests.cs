using NanoFold.Gpu.Tests.Gemm.Wgmma;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Attention.Hopper;

/// <summary>Whether the machine sees every missing or wrong piece of order in attention backward by warpgroups: each must be a fault, a hang that is told, or a wrong result in one of its schedules.</summary>
[Category("Long"), Parallelizable]
internal sealed class HopperGradientMutationTests : HopperMutations
{
    private static readonly HopperGradientSpec s_spec = new(GpuType.BFloat16, 64, HasPrefix: false, Documents: false, Stages: 2);

    // Of the first block of keys all queries see the sinks, of the second only the first queries see some; of later ones queries at the end see keys of one warpgroup and not of the other.
    // A ring of two stages goes round several times.
    private static readonly AttentionCase s_case = new(1, 300, 2, 1, 64) { Keys = 640, Window = 140, Sinks = 3 };

    // Also with each warpgroup that computes held back, so that the other is as far ahead as it may be.
    private static readonly PtxSchedule[] s_schedules =
    [
        new() { Resident = 99 }, .. PtxSchedule.All(8), new() { Held = (4, 8) }, new() { Held = (8, 12) }, new() { Resident = 99, LastWarpFirst = true, Completion = PtxCompletion.Earliest },
        .. Enumerable.Range(1, 3).Select(seed => new PtxSchedule { Resident = 99, Seed = seed }),
    ];

    // What orders blocks, besides waits for turns.
    private static readonly string[] s_ofTurns = ["bar.warp", "red.release", "atom.", "stmatrix"];

    private FlashRig _rig = null!;

    protected override string Text { get; } = HopperGradients.Write(s_spec).Text;

    protected override PtxSchedule[] Schedules => s_schedules;

    [OneTimeSetUp]
    public void Prepare()
    {
        _rig = new FlashRig(s_case, DType.BFloat16) { IsBackwardByWarpgroups = true, GradientSpec = s_spec, SeeksRaces = true };
        Right = _rig.Run();
    }

    [OneTimeTearDown]
    public void Dispose() => _rig.Dispose();

    [TestCaseSource(nameof(Texts))]
    public void WhatIsMissingIsSeen(string name, string text) => Seen(name, _ => text, null);

    [TestCaseSource(nameof(Layouts))]
    public void AWrongLayoutIsSeen(string name, Func<string, string> edit) => SeenLayout(name, edit);

    [Test]
    public void BlocksThatStartInTheWrongOrderHangAndAreTold()
    {
        string? failure = Failure(TurnMutations.FirstBlockFirst, null, new() { Resident = 2 });
        Assert.That(failure, Does.StartWith("deadlock: block 0, 0, 0: ").And.Contains("to change"));
    }

    protected override IReadOnlyList<string> Faults(string text) => PtxLint.Check(text, HopperGradientSpec.Threads, s_spec.SharedBytes).Faults;

    protected override float[][] Run(Func<string, string> edit, Func<TensorMap, TensorMap>? editMap, PtxSchedule schedule)
    {
        (_rig.Edit, _rig.EditMap, _rig.Schedule) = (edit, editMap, schedule);
        return _rig.Backward();
    }

    private static IEnumerable<TestCaseData> Texts()
    {
        string text = HopperGradients.Write(s_spec).Text;
        return Mutations.Of(text).Concat(TurnMutations.Of(text, instruction => s_ofTurns.Any(o => instruction.StartsWith(o, StringComparison.Ordinal))))
            .Select(m => new TestCaseData(m.Name, m.Text).SetArgDisplayNames(m.Name));
    }

    private static IEnumerable<TestCaseData> Layouts() => Replacing(
        ("descriptors do not swizzle", "1073741888", "64"),
        ("descriptors swizzle 64 bytes", "1073741888", "-2147483584"),
        ("the next eight rows are elsewhere", "1073741888", "1073741952"),
        ("the next 16 elements of the head are elsewhere", ", 2;", ", 4;"),
        ("the next 16 keys or queries are elsewhere", ", 128;", ", 64;"),
        ("queries are read along them", ", 1, 1, 1;", ", 1, 1, 0;"),
        ("keys and queries are read along the head", ", 1, 1, 0, 0;", ", 1, 1, 0, 1;"),
        ("gradients of scores are read along queries", ", 1, 1, 1, 1;", ", 1, 1, 0, 1;"));
}
