using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Tests.Cpu.Programs;

public class InstructionSetsTests
{
    [TestCase(null)]
    [TestCase("")]
    [TestCase("avx2")]
    [TestCase("avx512")]
    public void NothingAndASetThatIsThereAreNoFaults(string? value) => Assert.That(InstructionSets.FaultOf(value, UpTo(InstructionSet.Avx512)), Is.Null);

    [TestCase("sse9")]
    [TestCase("AVX2")]
    [TestCase("amx")]
    [TestCase("avx512bf16")]
    public void AnUnknownSetAndOneThatIsNotThereAreFaults(string value) => Assert.That(
        InstructionSets.FaultOf(value, UpTo(InstructionSet.Avx512)),
        Is.EqualTo($"NANOFOLD_ISA={value}: expected one of avx2, avx512, which this machine has, or leave it unset"));

    [Test]
    public void AMachineWithoutAnySetSaysSo()
        => Assert.That(InstructionSets.FaultOf("avx2", _ => false), Is.EqualTo("NANOFOLD_ISA=avx2: leave it unset: this machine has none of them"));

    [Test]
    public void ASetStandsForThoseBeforeIt([Values] InstructionSet set)
    {
        Assert.That(InstructionSets.Allows(null, set));
        Assert.That(Enum.GetValues<InstructionSet>().Where(each => InstructionSets.Allows(set, each)), Is.EqualTo(Enum.GetValues<InstructionSet>().TakeWhile(each => each <= set)));
    }

    private static Func<InstructionSet, bool> UpTo(InstructionSet most) => set => set <= most;
}
