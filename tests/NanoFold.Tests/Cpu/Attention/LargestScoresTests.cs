using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Attention.Listed;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu.Attention;

public sealed unsafe class LargestScoresTests
{
    [Test]
    public void KeepsTheLargest([Values(1, 7, 8, 9, 100, 700)] int count, [Values(1, 3, 8, 99, 300, 700)] int keep, [Values(0, 1, 2, 3)] int kind)
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
            .OrderByDescending(i => scores[i]).ThenBy(i => i).Take(keep).Order()];
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
        Assert.That(Select<Lane8>(scores, 5, out int unordered), Is.Empty);
        Assert.That(unordered, Is.EqualTo(20));
    }

    [Test]
    public void ShrinksToTheFewestThatReachAShare([Values(1, 7, 100, 300)] int count, [Values(0.01, 0.5, 0.9, 1)] double mass, [Values(0, 5)] int floor, [Values(0, 1)] int kind)
    {
        var random = new Random(count + (int)(mass * 100));
        float[] scores = [.. Enumerable.Range(0, count).Select(_ => kind == 0 ? (random.NextSingle() * 6) - 3 : random.Next(4))];
        const int Most = 40;
        double total = scores.Sum(s => Math.Exp(s)), sum = 0;
        var expected = new List<int>();
        foreach (int i in Enumerable.Range(0, count).OrderByDescending(i => scores[i]).ThenBy(i => i).Take(Most))
        {
            if (sum < (mass * total) - 1e-6 || expected.Count < floor)
            {
                expected.Add(i);
            }

            sum += Math.Exp(scores[i]);
        }

        Assert.That(Shrunk<Lane1>(scores, Most, mass, floor), Is.EqualTo(expected.Order()));
        Assert.That(Shrunk<Lane8>(scores, Most, mass, floor), Is.EqualTo(expected.Order()));
        Assert.That(Shrunk<Lane16>(scores, Most, mass, floor), Is.EqualTo(expected.Order()));
        Assert.That(Shrunk<LaneDouble>(scores, Most, mass, floor), Is.EqualTo(expected.Order()));
    }

    private static int[] Shrunk<V>(float[] scores, int most, double mass, int floor)
        where V : struct, ICpuLane<V>
    {
        using var row = new NativeBuffer((scores.Length + 16) * 8);
        using var values = new NativeBuffer((most + 16) * 8);
        int* kept = stackalloc int[most], picked = stackalloc int[most];
        Fill<V>(row, scores);
        int size = LargestScores.Select<V>(row.Pointer, scores.Length, most, kept, out _);
        size = LargestScores.Shrink<V>(row.Pointer, scores.Length, mass, floor, kept, size, values.Pointer, picked);
        return new Span<int>(kept, size).ToArray();
    }

    private static int[] Select<V>(float[] scores, int keep, out int unordered)
        where V : struct, ICpuLane<V>
    {
        using var row = new NativeBuffer((scores.Length + 16) * 8);
        using var kept = new NativeBuffer(keep * sizeof(int));
        Fill<V>(row, scores);
        int size = LargestScores.Select<V>(row.Pointer, scores.Length, keep, (int*)kept.Pointer, out unordered);
        return new Span<int>(kept.Pointer, size).ToArray();
    }

    private static void Fill<V>(NativeBuffer row, float[] scores)
        where V : struct, ICpuLane<V>
    {
        for (int i = 0; i < scores.Length; i++)
        {
            Element.Set<V>(row.Pointer, i, scores[i]);
        }
    }
}
