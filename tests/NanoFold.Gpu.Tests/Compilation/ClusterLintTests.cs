using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Compilation;

/// <summary>What the lint finds in texts of clusters, and that it finds nothing else.</summary>
[Parallelizable]
internal sealed class ClusterLintTests
{
    private const string Arrive = "barrier.cluster.arrive.release.aligned;\n", Wait = "barrier.cluster.wait.acquire.aligned;\n", Meet = Arrive + Wait;

    private const string Reach = "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r1+8];\n";

    [TestCase(Meet + Reach + Meet, 2, "")]
    [TestCase(Meet + "@%p0 " + Reach + Meet, 2, "")]
    [TestCase(Meet, 2, "")]
    [TestCase(Meet + Reach + Reach + Meet, 8, "")]
    [TestCase(Reach + Meet, 2, "another block may not have started")]
    [TestCase(Meet + Reach, 2, "the block may end while others reach into it")]
    [TestCase(Meet + "@%p0 bra.uni $L1;\n" + Reach + "$L1:\n", 2, "the block may end while others reach into it")]
    [TestCase("@%p1 bra.uni $L1;\n" + Meet + "$L1:\n" + Reach + Meet, 2, "another block may not have started")]
    [TestCase(Wait, 2, "waits for the cluster's barrier without having arrived")]
    [TestCase(Arrive + Arrive + Wait, 2, "arrives at the cluster's barrier again")]
    [TestCase(Meet + Arrive, 2, "ends without waiting")]
    [TestCase(Meet + Arrive + Reach + Wait, 2, "between arriving at the cluster's barrier and waiting")]
    [TestCase("@%p0 bra.uni $L1;\n" + Meet + "$L1:\n", 2, "some threads of the block may not come to it")]
    [TestCase(Meet + Reach + Meet, 1, "its blocks come alone")]
    [TestCase(Meet + Reach + Meet, 16, "its blocks come by 16")]
    public void AFaultIsNamed(string lines, int cluster, string fault)
    {
        IReadOnlyList<string> found = PtxLint.Check(Text(lines, cluster), 128).Faults;
        Assert.That(found, fault.Length == 0 ? Is.Empty : Has.Some.Contains(fault));
    }

    private static string Text(string lines, int cluster) => $"""
        .version 8.0
        .target sm_90a
        .address_size 64
        .visible .entry kernel(.param .align 8 .b8 arguments[16])
        .maxntid 128, 1, 1
        {(cluster > 1 ? $".reqnctapercluster {cluster}, 1, 1" : "")}
        {"{"}
            .reg .pred %p<2>;
            .reg .b32 %r<4>;
            ld.param.b32 %r0, [arguments+8];
            mov.u32 %r3, %tid.x;
            mapa.shared::cluster.u32 %r1, %r0, 0;
            setp.lt.s32 %p0, %r3, 7;
            setp.lt.s32 %p1, %r0, 7;
            {lines}
            ret;
        {"}"}
        """;
}
