using System.Text.RegularExpressions;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>Whether the machine sees what is missing or wrong in the kernel of all gradients: each must be a fault, a hang that is told, or a wrong result in one of its orders.</summary>
[Category("Long"), Parallelizable]
internal sealed partial class OneBackwardMutationTests
{
    // Five blocks of keys: of the first one all queries see the sinks, of the second nobody sees anything, of the others each query sees some.
    private static readonly AttentionCase s_case = new(1, 160, 2, 1, 32) { Keys = 600, Window = 150, Sinks = 3 };

    private static readonly PtxSchedule[] s_schedules =
    [
        new() { Resident = 99 }, new(), new() { Resident = 99, LastWarpFirst = true, Completion = PtxCompletion.Earliest }, new() { Resident = 2, LastWarpFirst = true },
        .. Enumerable.Range(1, 4).Select(seed => new PtxSchedule { Resident = 99, Seed = seed }),
    ];

    // Taken out one by one; of those that are many, some.
    private static readonly string[] s_orders = ["bar.", "cp.async.commit_group", "cp.async.wait_group", "red.release", "atom."], s_many = ["red.global.add.f32", "st.shared"];

    private const int Every = 5;

    private FlashRig _rig = null!;
    private float[][] _right = [];

    [OneTimeSetUp]
    public void Prepare()
    {
        _rig = new FlashRig(s_case, DType.BFloat16) { IsOne = true, SeeksRaces = true };
        _right = _rig.Run();
    }

    [OneTimeTearDown]
    public void Dispose() => _rig.Dispose();

    [Test]
    public void NothingIsSeenWhereNothingIsWrong()
    {
        foreach (PtxSchedule schedule in s_schedules)
        {
            Assert.That(Failure(text => text, schedule), Is.Null, $"{schedule}");
        }
    }

    [TestCaseSource(nameof(Texts))]
    public void WhatIsMissingIsSeen(string name, string text)
    {
        string? seen = s_schedules.Select(schedule => Failure(_ => text, schedule)).FirstOrDefault(failure => failure is not null);
        Assert.That(seen, Is.Not.Null, $"nothing is seen of: {name}");
        TestContext.Out.WriteLine(seen);
    }

    [Test]
    public void BlocksThatStartInTheWrongOrderHangAndAreTold()
    {
        string? failure = Failure(TurnMutations.FirstBlockFirst, new() { Resident = 2 });
        Assert.That(failure, Does.StartWith("deadlock: block 0, 0, 0: warp 0 at ld.acquire").And.Contains("to change"));
    }

    [Test]
    public void WithoutTicketsTheOrderOfTheDeviceHangs()
    {
        string Edit(string text) => Ticket().Replace(text, "mov.u32 ${ticket}, %ctaid.x;");
        Assert.That(Failure(Edit, new() { Resident = 2 }), Is.Null);
        Assert.That(Failure(Edit, new() { Resident = 2, LastWarpFirst = true }), Does.StartWith("deadlock"));
    }

    private string? Failure(Func<string, string> edit, PtxSchedule schedule)
    {
        (_rig.Edit, _rig.Schedule) = (edit, schedule);
        try
        {
            float[][] results = _rig.Backward();
            return results.Zip(_right).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second)) ? null : "other bits";
        }
        catch (InvalidOperationException e)
        {
            return e.Message;
        }
    }

    private static IEnumerable<TestCaseData> Texts()
    {
        string text = FlashSpec.Of(FlashPass.Gradients, GpuType.BFloat16, 32, hasPrefix: false, documents: false).Write().Text;
        int many = 0;
        return TurnMutations.Of(text, IsTaken).Select(m => new TestCaseData(m.Name, m.Text).SetArgDisplayNames(m.Name));

        bool IsTaken(string instruction)
            => s_many.Any(o => instruction.StartsWith(o, StringComparison.Ordinal)) ? ++many % Every == 1 : s_orders.Any(o => instruction.StartsWith(o, StringComparison.Ordinal));
    }

    [GeneratedRegex(@"atom\.global\.add\.u32 (?<ticket>%r\d+), [^;]*;")]
    private static partial Regex Ticket();
}
