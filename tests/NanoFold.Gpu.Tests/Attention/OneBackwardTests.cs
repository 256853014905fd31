using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>All gradients of attention by one kernel, whose blocks add to dq by turns: right, without races, and the same bits in whatever order blocks run.</summary>
public class OneBackwardTests
{
    private static IEnumerable<AttentionCase> Cases => FlashAttentionTests.Cases();

    [TestCaseSource(nameof(Cases))]
    public void IsThatOfTheCpu(AttentionCase problem)
    {
        foreach (DType type in new[] { DType.BFloat16, DType.Float16 })
        {
            using var rig = new FlashRig(problem, type, isOne: true, new() { LastWarpFirst = type == DType.Float16, Resident = 2 }, seeksRaces: true);
            FlashAttentionTests.AssertIsThatOfTheCpu(problem, type, rig.Run());
            Assert.That(rig.Device.ConflictCycles, Is.LessThan(rig.Device.SharedCycles / 20), "cycles lost in shared memory");
        }
    }
}
