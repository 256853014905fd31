using NanoFold.Gpu.Tests.Gemm.Wgmma;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Gpu.Tests.Ptx.Hopper;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Attention.Hopper;

/// <summary>Whether the machine sees every missing or wrong piece of order in attention forward by warpgroups: each must be a fault or a wrong result in one of its schedules.</summary>
[Category("Long"), Parallelizable]
internal sealed class HopperMutationTests
{
    // Of two warpgroups one hands steps back in the middle (after the sinks, which all see), the other one the last steps, and where it has no queries all of them; a ring of two stages goes round
    // several times. Maxima grow, so that the output has to follow.
    private static readonly HopperSpec s_spec = new(GpuType.BFloat16, 64, HasPrefix: false, Documents: false, Consumers: 2, Columns: 64, Stages: 2);

    private static readonly AttentionCase s_case = new(1, 320, 1, 1, 64) { Keys = 450, Window = 150, Sinks = 3, Sharpness = 10 };

    // Also with each warpgroup that computes held back, so that the other is as far ahead as it may be.
    private static readonly PtxSchedule[] s_schedules = [.. PtxSchedule.All(8), new() { Held = (4, 8) }, new() { Held = (8, 12) }];

    private float[][] _right = [];

    [OneTimeSetUp]
    public void Prepare()
    {
        using FlashRig rig = Rig(new());
        _right = rig.Forward();
    }

    [Test]
    public void NothingIsSeenWhereNothingIsWrong()
    {
        foreach (PtxSchedule schedule in s_schedules)
        {
            Assert.That(Failure(text => text, null, schedule), Is.Null, $"{schedule}");
        }
    }

    [TestCaseSource(nameof(Texts))]
    public void WhatIsMissingIsSeen(string name, string text) => Seen(name, _ => text, null);

    [TestCaseSource(nameof(Layouts))]
    public void AWrongLayoutIsSeen(string name, Func<string, string> edit)
    {
        string text = HopperForward.Write(s_spec).Text;
        Assert.That(edit(text), Is.Not.EqualTo(text), "nothing was changed");
        Seen(name, edit, null);
    }

    [Test]
    public void AMapWithoutSwizzleIsSeen() => Seen("tensor maps do not swizzle", text => text, map => FakeTensorMap.Encode(FakeTensorMap.Decode(map).Shape, swizzles: false));

    [Test]
    public void TheLintSeesRegistersThatAreTouchedTooEarlyOrWithoutAFence()
    {
        string text = HopperForward.Write(s_spec).Text;
        Assert.Multiple(() =>
        {
            Assert.That(Faults(text), Is.Empty);
            foreach (string removed in new[] { "wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 1;", "wgmma.fence.sync.aligned;" })
            {
                Assert.That(Faults(text.Replace(removed, "", StringComparison.Ordinal)), Is.Not.Empty, removed);
            }

            Assert.That(Faults(text.Replace("wgmma.wait_group.sync.aligned 1;", "wgmma.wait_group.sync.aligned 2;", StringComparison.Ordinal)), Has.Some.Contains("is touched before the products that have it are waited for"));
        });
    }

    private static IReadOnlyList<string> Faults(string text) => PtxLint.Check(text, s_spec.Threads, s_spec.SharedBytes).Faults;

    private void Seen(string name, Func<string, string> edit, Func<TensorMap, TensorMap>? editMap)
    {
        string? seen = s_schedules.Select(schedule => Failure(edit, editMap, schedule)).FirstOrDefault(failure => failure is not null);
        Assert.That(seen, Is.Not.Null, $"nothing is seen of: {name}");
        TestContext.Out.WriteLine(seen);
    }

    private string? Failure(Func<string, string> edit, Func<TensorMap, TensorMap>? editMap, PtxSchedule schedule)
    {
        using FlashRig rig = Rig(schedule);
        (rig.EditForward, rig.EditMap) = (edit, editMap);
        try
        {
            float[][] results = rig.Forward();
            return results.Zip(_right).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second)) ? null : "other bits";
        }
        catch (InvalidOperationException e)
        {
            return e.Message;
        }
    }

    private static FlashRig Rig(PtxSchedule schedule) => new(s_case, DType.BFloat16) { IsByWarpgroups = true, Spec = s_spec, Schedule = schedule };

    private static IEnumerable<TestCaseData> Texts()
        => Mutations.Of(HopperForward.Write(s_spec).Text).Select(m => new TestCaseData(m.Name, m.Text).SetArgDisplayNames(m.Name));

    private static IEnumerable<TestCaseData> Layouts()
    {
        // Halves of descriptors: the way to the next 64 of m or n (lower, upper 16 bits), to the next atom and the swizzle (upper half).
        (string Name, string From, string To)[] edits =
        [
            ("descriptors do not swizzle", "1073741888", "64"),
            ("descriptors swizzle 64 bytes", "1073741888", "-2147483584"),
            ("the next eight rows are elsewhere", "1073741888", "1073741952"),
            ("the next 16 elements of the head are elsewhere", ", 2;", ", 4;"),
            ("the next 16 keys are elsewhere", ", 128;", ", 64;"),
            ("values are read along the keys", ", 1, 1, 1;", ", 1, 1, 0;"),
            ("keys are read along the head", ", 1, 1, 0, 0;", ", 1, 1, 0, 1;"),
        ];
        return edits.Select(e => new TestCaseData(e.Name, (Func<string, string>)(text => text.Replace(e.From, e.To, StringComparison.Ordinal))).SetArgDisplayNames(e.Name));
    }
}
