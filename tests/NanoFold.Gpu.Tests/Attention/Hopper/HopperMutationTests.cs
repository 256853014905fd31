using NanoFold.Gpu.Tests.Gemm.Wgmma;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Attention.Hopper;

/// <summary>Whether the machine sees every missing or wrong piece of order in attention forward by warpgroups: each must be a fault or a wrong result in one of its schedules.</summary>
[Category("Long"), Parallelizable]
internal sealed class HopperMutationTests : HopperMutations
{
    // Of two warpgroups one hands steps back in the middle (after the sinks, which all see), the other one the last steps, and where it has no queries all of them; a ring of two stages goes round
    // several times. Maxima grow, so that the output has to follow.
    private static readonly HopperSpec s_spec = new(GpuType.BFloat16, 64, HasPrefix: false, Documents: false, Consumers: 2, Columns: 64, Stages: 2);

    private static readonly AttentionCase s_case = new(1, 320, 1, 1, 64) { Keys = 450, Window = 150, Sinks = 3, Sharpness = 10 };

    // Also with each warpgroup that computes held back, so that the other is as far ahead as it may be.
    private static readonly PtxSchedule[] s_schedules = [.. PtxSchedule.All(8), new() { Held = (4, 8) }, new() { Held = (8, 12) }];

    protected override string Text { get; } = HopperForward.Write(s_spec).Text;

    protected override PtxSchedule[] Schedules => s_schedules;

    [OneTimeSetUp]
    public void Prepare()
    {
        using FlashRig rig = Rig(new());
        Right = rig.Forward();
    }

    [TestCaseSource(nameof(Texts))]
    public void WhatIsMissingIsSeen(string name, string text) => Seen(name, _ => text, null);

    [TestCaseSource(nameof(Layouts))]
    public void AWrongLayoutIsSeen(string name, Func<string, string> edit) => SeenLayout(name, edit);

    [Test]
    public void TheLintSeesAWaitForTooFew()
        => Assert.That(
            Faults(Text.Replace("wgmma.wait_group.sync.aligned 1;", "wgmma.wait_group.sync.aligned 2;", StringComparison.Ordinal)), Has.Some.Contains("is touched before the products that have it are waited for"));

    protected override IReadOnlyList<string> Faults(string text) => PtxLint.Check(text, s_spec.Threads, s_spec.SharedBytes).Faults;

    protected override float[][] Run(Func<string, string> edit, Func<TensorMap, TensorMap>? editMap, PtxSchedule schedule)
    {
        using FlashRig rig = Rig(schedule);
        (rig.EditForward, rig.EditMap) = (edit, editMap);
        return rig.Forward();
    }

    private static FlashRig Rig(PtxSchedule schedule) => new(s_case, DType.BFloat16) { IsByWarpgroups = true, Spec = s_spec, Schedule = schedule };

    private static IEnumerable<TestCaseData> Texts()
        => Mutations.Of(HopperForward.Write(s_spec).Text).Select(m => new TestCaseData(m.Name, m.Text).SetArgDisplayNames(m.Name));

    private static IEnumerable<TestCaseData> Layouts()
    {
        // Halves of descriptors: the way to the next 64 of m or n (lower, upper 16 bits), to the next atom and the swizzle (upper half).
        return Replacing(
            ("descriptors do not swizzle", "1073741888", "64"),
            ("descriptors swizzle 64 bytes", "1073741888", "-2147483584"),
            ("the next eight rows are elsewhere", "1073741888", "1073741952"),
            ("the next 16 elements of the head are elsewhere", ", 2;", ", 4;"),
            ("the next 16 keys are elsewhere", ", 128;", ", 64;"),
            ("values are read along the keys", ", 1, 1, 1;", ", 1, 1, 0;"),
            ("keys are read along the head", ", 1, 1, 0, 0;", ", 1, 1, 0, 1;"));
    }
}
