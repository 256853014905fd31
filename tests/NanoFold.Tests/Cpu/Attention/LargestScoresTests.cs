using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Attention.TopK;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu.Attention;

public sealed unsafe class LargestScoresTests
{
    [Test]
    public void KeepsTheLargestByRank([Values(1, 7, 8, 9, 100, 700)] int count, [Values(1, 3, 8, 99, 300, 700)] int keep, [Values(0, 1, 2, 3)] int kind)
    {
        var random = new Random((count * 1000) + keep);
        float[] scores = [.. Enumerable.Range(0, count).Select(_ => kind switch
        {
            0 => random.NextSingle() - 0.5f,
            1 => random.Next(5),
            2 => random.Next(3) == 0 ? float.NegativeInfinity : -random.NextSingle() * 1e-20f,
            _ => MathF.Pow(10, random.Next(-30, 30)) * random.Next(-1, 2),
        })];
        int[] expected = [.. Enumerable.Range(0, count).Where(i => scores[i] > float.NegativeInfinity)
            .OrderByDescending(i => scores[i]).ThenBy(i => i).Take(keep)];
        Assert.That(Select<Lane1>(scores, keep, out _), Is.EqualTo(expected));
        Assert.That(Select<Lane4>(scores, keep, out _), Is.EqualTo(expected));
        Assert.That(Select<Lane8>(scores, keep, out _), Is.EqualTo(expected));
        Assert.That(Select<Lane16>(scores, keep, out _), Is.EqualTo(expected));
        Assert.That(Select<LaneDouble>(scores, keep, out _), Is.EqualTo(expected));
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void HasNoOrderAmongWhatIsNotFinite(float bad)
    {
        float[] scores = [.. Enumerable.Range(0, 37).Select(i => (float)i)];
        scores[20] = bad;
        Assert.That(Select<Lane8>(scores, 5, out bool isFinite), Is.Empty);
        Assert.That(isFinite, Is.False);
    }

    private static int[] Select<V>(float[] scores, int keep, out bool isFinite)
        where V : struct, ICpuLane<V>
    {
        using var row = new NativeBuffer((scores.Length + 16) * 8);
        using var values = new NativeBuffer((keep + 17) * 8);
        using var keys = new NativeBuffer((keep + 1) * 4);
        using var kept = new NativeBuffer(keep * sizeof(KeyScore));
        for (int i = 0; i < scores.Length; i++)
        {
            Element.Set<V>(row.Pointer, i, scores[i]);
        }

        var best = (KeyScore*)kept.Pointer;
        int size = LargestScores.Select<V>(row.Pointer, scores.Length, keep, best, values.Pointer, (int*)keys.Pointer, out isFinite);
        return [.. Enumerable.Range(0, size).Select(i => best[i].Key)];
    }
}
