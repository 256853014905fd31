using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Tests.Cpu.Programs;

public class InstructionSetsTests
{
    [Test]
    public void AVariableThatNamesNoSetIsToldOff()
    {
        Assert.That((InstructionSets.FaultOf(null), InstructionSets.FaultOf("")), Is.EqualTo(((string?)null, (string?)null)));
        Assert.That(InstructionSets.FaultOf("sse9"), Does.StartWith("NANOFOLD_ISA=sse9: ").And.Contains("leave it unset"));
    }

    [TestCase("avx2")]
    [TestCase("avx512")]
    [TestCase("avx512bf16")]
    [TestCase("amx")]
    public void ASetThatIsThereMayBeNamed(string name)
        => Assert.That(InstructionSets.FaultOf(name), Is.Null.Or.StartsWith($"NANOFOLD_ISA={name}: "));
}
