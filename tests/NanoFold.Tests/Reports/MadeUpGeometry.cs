using System.Globalization;
using System.Text;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Reports.Geometry;

namespace NanoFold.Tests.Reports;

/// <summary>Geometry of a large model that was never trained: every quantity of a page, at every layer and checkpoint, with controls and arrays.</summary>
internal static class MadeUpGeometry
{
    public const int Heads = 16;
    private const int Width = 1024, Tokens = 256, Window = 64;

    /// <summary>Writes what training and what <c>geometry</c> would write.</summary>
    public static void Write(string run, int layers, int checkpoints)
    {
        Directory.CreateDirectory(Path.Combine(run, RunGeometry.Folder));
        using (var lines = new StreamWriter(Path.Combine(run, RunGeometry.Folder, "geometry.jsonl")))
        using (var training = new StreamWriter(Path.Combine(run, RunFolder.GeometryFile)))
        {
            for (int step = 1; step <= checkpoints; step++)
            {
                for (int layer = 0; layer < layers; layer++)
                {
                    Figures(lines, step * 1000, layer, "none");
                    if (step == checkpoints)
                    {
                        Array.ForEach(["untrained", "shuffled", "gaussian"], control => Figures(lines, step * 1000, layer, control));
                    }

                    for (int other = 0; other < layer; other++)
                    {
                        string pair = $"\"scope\":\"pair\",\"point\":\"blocks.{other}.hook_resid_post\",\"other\":\"blocks.{layer}.hook_resid_post\"";
                        Array.ForEach([("cka", "unbiased"), ("overlap", "overlap"), ("rsa", "rsa")], like => Line(lines, like.Item1, like.Item2, step * 1000, layer, Value(step, layer - other) / 10, "none", pair));
                    }

                    training.WriteLine("{" + string.Create(CultureInfo.InvariantCulture, $"\"version\":2,\"step\":{step * 1000},\"measure\":\"norms\",\"scope\":\"point\",\"point\":\"blocks.{layer}.hook_resid_post\",\"layer\":{layer},\"figures\":") + "{\"norm\":{\"value\":" + Value(step, layer).ToString(CultureInfo.InvariantCulture) + ",\"estimator\":\"x\",\"points\":9}}}");
                }
            }
        }

        using var arrays = new NpzWriter(File.Create(Path.Combine(run, RunGeometry.Folder, "geometry.npz")));
        for (int step = 1; step <= checkpoints; step++)
        {
            double[] ways = [.. Enumerable.Range(0, (layers + 1) * Tokens * 3).Select(i => Value(step, i))];
            arrays.Add<double>($"trajectories/hook_resid_post/{step * 1000}/coordinates", [layers + 1, Tokens, 3], ways);
            arrays.Add<int>($"trajectories/hook_resid_post/{step * 1000}/tokens", [Tokens], [.. Enumerable.Range(0, Tokens)]);
            for (int layer = 0; layer < layers; layer++)
            {
                double[] values = [.. Enumerable.Range(1, Width).Select(i => 1000 / Math.Pow(i, 1 + (0.01 * layer)))];
                arrays.Add<double>($"spectrum/blocks.{layer}.hook_resid_post/{step * 1000}/eigenvalues", [Width], values);
            }
        }

        for (int layer = 0; layer < layers; layer++)
        {
            float[] weights = [.. Enumerable.Range(0, Heads * Window * Window).Select(i => i % Window > i / Window % Window ? 0 : 1f / ((i / Window % Window) + 1))];
            arrays.Add<float>($"attention-graph/blocks.{layer}/{checkpoints * 1000}/pattern", [Heads, Window, Window], weights);
        }
    }

    private static void Figures(StreamWriter lines, int step, int layer, string control)
    {
        foreach (Quantity quantity in Quantities.All.SelectMany(group => group.All))
        {
            string[] ends = quantity.Over is not null ? ["2", "4", "8", "16", "32", "64"] : quantity.Figure.Contains('.') ? ["token", "next", "position"] : [""];
            foreach ((string name, string end) in new[] { quantity.Figure.Split('.')[0] }.Concat(quantity.Beside.Select(beside => beside.Figure)).SelectMany(name => ends.Select(end => (name, end))))
            {
                string figure = end.Length > 0 ? $"{name}.{end}" : name;
                Line(lines, quantity.Measure, figure, step, layer, Value(step, layer), control, $"\"scope\":\"point\",\"point\":\"blocks.{layer}.hook_resid_post\"");
            }
        }
    }

    private static void Line(StreamWriter lines, string measure, string figure, int step, int layer, double value, string control, string place)
        => lines.WriteLine(new StringBuilder().Append(CultureInfo.InvariantCulture, $"{{\"version\":3,\"step\":{step},\"measure\":\"{measure}\",\"figure\":\"{figure}\",{place},\"layer\":{layer},\"value\":{value},\"error\":0.123,")
            .Append(CultureInfo.InvariantCulture, $"\"status\":\"Ok\",\"settings\":\"as made up for a page, position 0 out\",\"n\":1000,\"control\":\"{control}\"}}"));

    private static double Value(int step, int place) => 5 + Math.Sin(place * 0.37) + (Math.Cos(step * 0.0011 * (1 + (place % 7))) * 3.21);
}
