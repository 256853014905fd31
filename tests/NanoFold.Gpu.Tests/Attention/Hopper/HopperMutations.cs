using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Gpu.Tests.Ptx.Hopper;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Attention.Hopper;

/// <summary>Whether the machine sees every missing or wrong piece of order in a program of attention by warpgroups: each must be a fault, a hang that is told, or other bits in one of its schedules.</summary>
internal abstract class HopperMutations
{
    /// <summary>The program as it is.</summary>
    protected abstract string Text { get; }

    protected abstract PtxSchedule[] Schedules { get; }

    /// <summary>What it gives.</summary>
    protected float[][] Right { get; set; } = [];

    [Test]
    public void NothingIsSeenWhereNothingIsWrong()
    {
        foreach (PtxSchedule schedule in Schedules)
        {
            Assert.That(Failure(text => text, null, schedule), Is.Null, $"{schedule}");
        }
    }

    [Test]
    public void AMapWithoutSwizzleIsSeen() => Seen("tensor maps do not swizzle", text => text, map => FakeTensorMap.Encode(FakeTensorMap.Decode(map).Shape, swizzles: false));

    [Test]
    public void TheLintSeesRegistersThatAreTouchedTooEarlyOrWithoutAFence()
        => Assert.Multiple(() =>
        {
            Assert.That(Faults(Text), Is.Empty);
            foreach (string removed in new[] { "wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 1;", "wgmma.fence.sync.aligned;" })
            {
                Assert.That(Faults(Text.Replace(removed, "", StringComparison.Ordinal)), Is.Not.Empty, removed);
            }
        });

    /// <summary>Runs the edited program with the edited tensor maps.</summary>
    protected abstract float[][] Run(Func<string, string> edit, Func<TensorMap, TensorMap>? editMap, PtxSchedule schedule);

    protected abstract IReadOnlyList<string> Faults(string text);

    protected void SeenLayout(string name, Func<string, string> edit)
    {
        Assert.That(edit(Text), Is.Not.EqualTo(Text), "nothing was changed");
        Seen(name, edit, null);
    }

    protected void Seen(string name, Func<string, string> edit, Func<TensorMap, TensorMap>? editMap)
    {
        string? seen = Schedules.Select(schedule => Failure(edit, editMap, schedule)).FirstOrDefault(failure => failure is not null);
        Assert.That(seen, Is.Not.Null, $"nothing is seen of: {name}");
        TestContext.Out.WriteLine(seen);
    }

    protected string? Failure(Func<string, string> edit, Func<TensorMap, TensorMap>? editMap, PtxSchedule schedule)
    {
        try
        {
            return Run(edit, editMap, schedule).Zip(Right).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second)) ? null : "other bits";
        }
        catch (InvalidOperationException e)
        {
            return e.Message;
        }
    }

    /// <summary>Edits that replace something wherever it stands.</summary>
    protected static IEnumerable<TestCaseData> Replacing(params (string Name, string From, string To)[] edits)
        => edits.Select(e => new TestCaseData(e.Name, (Func<string, string>)(text => text.Replace(e.From, e.To, StringComparison.Ordinal))).SetArgDisplayNames(e.Name));
}
