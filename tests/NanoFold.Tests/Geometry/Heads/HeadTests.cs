using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Tests.Geometry.Spectra;

namespace NanoFold.Tests.Geometry.Heads;

/// <summary>What heads write to, and the forms of their scores.</summary>
public class HeadTests
{
    [Test]
    public void HeadsThatWriteApartHaveTheSumOfTheirDimensions()
    {
        // Two heads of two isotropic elements each; W_O sends them to four different coordinates, or both to the same two.
        float[] z = Clouds.Gauss(4000, 4, 21);
        float[] apart = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0], together = [1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        var first = new HeadOutputs(z, 2, apart, 4000);
        Assert.That(first.Status, Is.EqualTo(GeometryStatus.Ok));
        Assert.That(first.Dimension(0), Is.EqualTo(2).Within(0.01));
        Assert.That(first.JointDimension(), Is.EqualTo(4).Within(0.01));
        Assert.That(first.Variance(0) + first.Variance(1), Is.EqualTo(4).Within(0.2));
        Assert.That(PrincipalAngles.Between(first.Directions(0, 8), first.Directions(1, 8), 5), Is.EqualTo(new[] { Math.PI / 2, Math.PI / 2 }).Within(1e-7));
        var second = new HeadOutputs(z, 2, together, 4000);
        Assert.That(second.Dimension(1), Is.EqualTo(2).Within(0.01));
        Assert.That(second.JointDimension(), Is.EqualTo(2).Within(0.01));
        Assert.That(PrincipalAngles.Between(second.Directions(0, 2), second.Directions(1, 2), 5), Is.EqualTo(new double[2]).Within(1e-7));
    }

    [Test]
    public void HeadsThatWriteNothingSaySo()
    {
        Assert.That(new HeadOutputs(Clouds.Gauss(50, 4, 1), 2, new float[12], 50).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(new HeadOutputs(Clouds.Gauss(50, 4, 1), 2, [1, 0, float.NaN, 0], 50).Status, Is.EqualTo(GeometryStatus.NotFinite));
        Assert.That(new HeadOutputs(new float[8], 2, [1, 1], 4).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(new HeadOutputs([1, 2], 2, [1, 1], 1).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(() => new HeadOutputs(new float[9], 2, [1, 1], 3), Throws.ArgumentException);
    }

    [Test]
    public void SymmetricAndAntisymmetricForms()
    {
        double[] query = SubspaceTests.Orthonormal(3, 12, 31), other = SubspaceTests.Orthonormal(6, 12, 32);
        QueryKeyForm same = QueryKeyForm.Measure(query, query, 12);
        Assert.That((same.Positive, same.Negative), Is.EqualTo((3, 0)));
        Assert.That((double[])[same.SymmetricShare!.Value, same.PositiveShare!.Value, same.TraceShare!.Value], Is.All.EqualTo(1).Within(1e-12));
        QueryKeyForm opposite = QueryKeyForm.Measure(query, [.. query.Select(v => -2 * v)], 12);
        Assert.That((opposite.Positive, opposite.Negative), Is.EqualTo((0, 3)));
        Assert.That((opposite.SymmetricShare, opposite.PositiveShare), Is.EqualTo((1.0, 0.0)).Using<(double?, double?)>((a, b) => Math.Abs(a.Item1!.Value - b.Item1!.Value) < 1e-12 && a.Item2 == b.Item2));
        Assert.That(opposite.TraceShare, Is.EqualTo(-1).Within(1e-12));

        // M = a bᵀ − b aᵀ orders and does not match: nothing of it is symmetric.
        double[] a = other[..12], b = other[12..24];
        QueryKeyForm ordering = QueryKeyForm.Measure([.. a, .. b], [.. b, .. a.Select(v => -v)], 12);
        Assert.That(ordering.SymmetricShare, Is.Zero.Within(1e-12));
        Assert.That((ordering.Positive, ordering.Negative, ordering.PositiveShare, ordering.TraceShare), Is.EqualTo((0, 0, (double?)null, (double?)null)));

        // M = 3 a bᵀ of orthogonal a and b: half symmetric, eigenvalues ±3/2.
        QueryKeyForm mixed = QueryKeyForm.Measure([.. a.Select(v => 3 * v)], b, 12);
        Assert.That(mixed.SymmetricShare, Is.EqualTo(0.5).Within(1e-12));
        Assert.That((mixed.Positive, mixed.Negative), Is.EqualTo((1, 1)));
        Assert.That(mixed.PositiveShare, Is.EqualTo(0.5).Within(1e-9));
        Assert.That(mixed.TraceShare, Is.Zero.Within(1e-9));
        Assert.That(QueryKeyForm.Measure(new double[24], query[..24], 12).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
    }

    [Test]
    public void RandomFormsAreHalfSymmetricAndBalanced()
    {
        double[] random = [.. Clouds.Gauss(16 * 80, 32, 41).Select(v => (double)v)];
        QueryKeyForm[] forms = [.. Enumerable.Range(0, 40).Select(i => QueryKeyForm.Measure(random.AsSpan(i * 1024, 512), random.AsSpan((i * 1024) + 512, 512), 32))];
        Assert.That(forms.Average(f => f.SymmetricShare!.Value), Is.EqualTo(QueryKeyForm.SymmetricShareByChance(32)).Within(0.005));
        Assert.That(forms.Average(f => f.PositiveShare!.Value), Is.EqualTo(0.5).Within(0.02));
        Assert.That(forms, Is.All.Matches<QueryKeyForm>(f => f.Positive + f.Negative == 32));
    }

    [Test]
    public void OfATrainedModelTheyAreThoseOfNumpy()
    {
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllText(SharedData.Path("peers/geometry/expected.json")));
        JsonElement heads = expected.RootElement.GetProperty("heads");
        (float[] z, float[] output) = TrainedHeads.Block2();
        var measured = new HeadOutputs(z, 4, output, z.Length / 128);
        double[] dimensions = [.. heads.GetProperty("participationRatioByHead").EnumerateArray().Select(v => v.GetDouble())];
        Assert.That(Enumerable.Range(0, 4).Select(h => measured.Dimension(h)!.Value), Is.EqualTo(dimensions).Within(0.01).Percent);
        Assert.That(measured.JointDimension(), Is.EqualTo(heads.GetProperty("participationRatioJoint").GetDouble()).Within(0.01).Percent);
        foreach (JsonProperty pair in heads.GetProperty("anglesRadians").EnumerateObject())
        {
            int[] of = [.. pair.Name.Split(',').Select(int.Parse)];
            double[] angles = PrincipalAngles.Between(measured.Directions(of[0], 8), measured.Directions(of[1], 8), 128);
            Assert.That(angles, Is.EqualTo(pair.Value.EnumerateArray().Select(v => v.GetDouble())).Within(1e-3), pair.Name);
        }
    }
}
