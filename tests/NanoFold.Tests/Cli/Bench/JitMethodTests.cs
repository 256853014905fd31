using NanoFold.Cli.Commands.Bench;

namespace NanoFold.Tests.Cli.Bench;

public class JitMethodTests
{
    private const string X64 = """
        ; Assembly listing for method NanoFold.Kernels.Cpu.Dot:Run[NanoFold.Kernels.Lanes.Lane8](ptr,int):this (FullOpts)
        ; optimized code

        G_M000_IG01:
               push     rbp

        G_M000_IG02:
               xor      eax, eax
               align    [3 bytes for IG03]

        G_M000_IG03:
               vmovups  ymm0, ymmword ptr [rdi]
               vfmadd231ps ymm1, ymm0, ymmword ptr [rsi]
               vmovups  ymmword ptr [rdx], ymm1
               prefetcht0 byte  ptr [rsi]
               lea      rdi, [rdi+0x20]
               dec      eax
               jne      SHORT G_M000_IG03

        G_M000_IG04:
               call     [Something]
               jmp      G_M000_IG02

        ; Total bytes of code 60
        ; Assembly listing for method Other:Run() (FullOpts)
        G_M000_IG01:
               ret
        ; Total bytes of code 1
        """;

    private const string Arm64 = """
        ; Assembly listing for method NanoFold.Kernels.Cpu.Dot:Run() (FullOpts)
        G_M000_IG02:
                    ldr     q16, [x0, x1]
                    fmla    v17.4s, v16.4s, v18.s[0]
                    str     q17, [x2]
                    cbnz    w3, G_M000_IG02
        ; Total bytes of code 16
        """;

    [Test]
    public void InstructionsOfTheInnermostLoopAreCounted()
    {
        JitMethod[] methods = [.. JitMethod.Parse(X64.Split('\n'))];
        Assert.That(methods.Select(m => (m.ShortName, m.Bytes, m.Loops.Count)), Is.EqualTo(new[] { ("Dot:Run[Lane8]", 60, 1), ("Other:Run", 1, 0) }));
        Assert.That(methods[0].Loops[0], Is.EqualTo(new JitLoop("G_M000_IG03", Instructions: 7, FusedMultiplyAdds: 1, Loads: 2, Stores: 1, Calculates: true)));
        Assert.That(methods[0].Text, Does.StartWith("; Assembly").And.EndsWith("code 60"));
    }

    [Test]
    public void ArmIsReadToo()
    {
        JitMethod method = JitMethod.Parse(Arm64.Split('\n')).Single();
        Assert.That(method.Loops.Single(), Is.EqualTo(new JitLoop("G_M000_IG02", Instructions: 4, FusedMultiplyAdds: 1, Loads: 1, Stores: 1, Calculates: true)));
    }
}
