using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Compilation;

/// <summary>What the lint finds in a text, and that it finds nothing else.</summary>
[Parallelizable]
public class LintTests
{
    private const string Threads = ".maxntid 128, 1, 1\n.minnctapersm 4";

    [TestCase("add.rn.f32 %f0, %f1, %f1", "")]
    [TestCase("add.s33 %r0, %r1, 1", "add.s33: is no instruction")]
    [TestCase("cvt.rn.tf32.f32 %r0, %f1", "cvt.rn.tf32.f32: needs sm_90, and the text is for sm_80")]
    [TestCase("add.s32 %r0, %r9, 1", "register %r9 is not declared")]
    [TestCase("mov.u32 %r0, %tid.w", "register %tid.w is not declared")]
    [TestCase("add.s32 %r0, %r2, 1", "register %r2 is read before it is set")]
    [TestCase("@%p0 mov.b32 %r2, 1;\nadd.s32 %r0, %r2, 1", "register %r2 is read before it is set")]
    [TestCase("@%p0 mov.b32 %r2, 1;\n@%p0 add.s32 %r0, %r2, 1", "")]
    [TestCase("@%p0 mov.b32 %r2, 1;\n@!%p0 add.s32 %r0, %r2, 1", "register %r2 is read before it is set")]
    [TestCase("bra.uni $L7", "there is no such label")]
    [TestCase("$L1:\nmov.b32 %r0, 0;\n$L1:", "label $L1 stands twice")]
    [TestCase("@%p0 bar.sync 0", "some threads of the block may not come to it")]
    [TestCase("@%p1 bar.sync 0", "")]
    [TestCase("@%p0 bar.sync 1, 32", "")]
    [TestCase("wgmma.fence.sync.aligned", "wgmma.fence.sync.aligned: is for sm_90a only")]
    [TestCase("elect.sync _|%p2, -1", "elect.sync: needs sm_90")]
    [TestCase("@%p0 bra.uni $L1;\nbar.sync 0;\n$L1:", "some threads of the block may not come to it")]
    [TestCase("@%p0 bra.uni $L1;\nmov.b32 %r0, 0;\n$L1:\nbar.sync 0", "")]
    [TestCase("mov.b32 %r2, 0;\n@%p0 mov.b32 %r2, 1;\nsetp.eq.s32 %p2, %r2, 0;\n@%p2 bra.uni $L1;\nbar.sync 0;\n$L1:", "some threads of the block may not come to it")]
    [TestCase("griddepcontrol.wait", "griddepcontrol.wait: needs sm_90")]
    public void AFaultIsNamed(string lines, string fault)
    {
        IReadOnlyList<string> found = PtxLint.Check(Text(lines), 128).Faults;
        Assert.That(found, fault.Length == 0 ? Is.Empty : Has.Some.Contains(fault));
    }

    [TestCase("griddepcontrol.wait;\nld.global.b32 %r0, [%d0]", "")]
    [TestCase("griddepcontrol.launch_dependents", "")]
    [TestCase("ld.global.b32 %r0, [%d0]", "")]
    [TestCase("ld.global.b32 %r0, [%d0];\ngriddepcontrol.wait", "ld.global.b32 %r0, [%d0]: memory is touched before griddepcontrol.wait")]
    [TestCase("@%p1 griddepcontrol.wait;\nst.global.b32 [%d0], %r1", "memory is touched before")]
    [TestCase("@%p1 bra.uni $L1;\ngriddepcontrol.wait;\n$L1:\nst.global.b32 [%d0], %r1", "memory is touched before")]
    [TestCase("@%p1 bra.uni $L1;\ngriddepcontrol.wait;\nst.global.b32 [%d0], %r1;\n$L1:", "")]
    [TestCase("griddepcontrol.launch_dependents;\nst.global.b32 [%d0], %r1", "memory is touched before")]
    public void MemoryIsTouchedAfterTheKernelBeforeIsDone(string lines, string fault)
    {
        IReadOnlyList<string> found = PtxLint.Check(Text(lines).Replace(".target sm_80", ".target sm_90", StringComparison.Ordinal).Replace(".version 7.0", ".version 7.8", StringComparison.Ordinal), 128).Faults;
        Assert.That(found, fault.Length == 0 ? Is.Empty : Has.Some.Contains(fault));
    }

    [Test]
    public void RegistersThatHoldValuesAtOnceAreCounted()
    {
        string sets = string.Join(";\n", Enumerable.Range(0, 140).Select(i => $"add.s32 %v{i}, %r1, {i}")), reads = string.Join(";\n", Enumerable.Range(0, 140).Select(i => $"st.global.b32 [%d0+{4 * i}], %v{i}"));
        PtxFindings findings = PtxLint.Check(Text($"{sets};\n{reads}", ".reg .b32 %v<140>;"), 128);
        Assert.That((findings.MostRegisters, findings.Live), Is.EqualTo((128, 142)));
        Assert.That(findings.Faults, Has.One.StartsWith("142 registers hold values at once, and a thread can have 128"));
    }

    [Test]
    public void SharedMemoryIsThatOfTheTarget()
    {
        Assert.That(PtxLint.Check(Text("mov.b32 %r0, 0"), 128, 163 * 1024).Faults, Is.Empty);
        Assert.That(PtxLint.Check(Text("mov.b32 %r0, 0"), 128, (163 * 1024) + 1).Faults, Has.One.Contains("of shared memory"));
    }

    [Test]
    public void WhatStandsAboveTheCodeIsRead()
    {
        PtxFindings findings = PtxLint.Check(Text("mov.b32 %r0, 0"), 128);
        Assert.That((findings.Target, findings.MostThreads, findings.LeastBlocks, findings.Declared), Is.EqualTo(("sm_80", 128, 4, 13)));
    }

    private static string Text(string lines, string declaration = "") => $"""
        .version 7.0
        .target sm_80
        .address_size 64
        .visible .entry kernel(.param .align 8 .b8 arguments[16])
        {Threads}
        {"{"}
            {declaration}
            .reg .pred %p<3>;
            .reg .b32 %r<4>;
            .reg .f32 %f<2>;
            .reg .b64 %d<4>;
            ld.param.b64 %d0, [arguments+0];
            ld.param.b32 %r1, [arguments+8];
            mov.f32 %f1, 0f00000000;
            mov.u32 %r3, %tid.x;
            setp.lt.s32 %p0, %r3, 7;
            setp.lt.s32 %p1, %r1, 7;
            {lines}{(lines.EndsWith(':') ? "" : ";")}
            ret;
        {"}"}
        """;
}
