using System.Security.Cryptography;
using System.Text;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Tensors;

/// <summary>
/// Initial values by a seed: a counter-based stream per name, the same on every machine, whatever the order and whatever else there is.
/// </summary>
public sealed class SeedSource(ulong seed) : IParameterSource
{
    // Even, for numbers are drawn in pairs.
    private const int PieceElements = 1 << 20;

    /// <inheritdoc/>
    public bool TryFill(StoredTensor tensor)
    {
        Backend backend = tensor.Store.Backend;
        View target = tensor.Store.Values(tensor);
        if (tensor.Initializer.Rows is { } matrix)
        {
            backend.Write(NormsOf(matrix), target);
            return true;
        }

        ulong stream = BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes(tensor.Name)));
        var piece = new float[Math.Min(PieceElements, target.Count)];
        for (long start = 0; start < target.Count; start += piece.Length)
        {
            Span<float> values = piece.AsSpan(0, (int)Math.Min(piece.Length, target.Count - start));
            Draw(values, start, tensor.Initializer, stream);
            View part = target.With(Layout.Of(values.Length), start);
            if (part.Type == DType.Int32)
            {
                backend.Upload<int>(Array.ConvertAll(values.ToArray(), v => checked((int)v)), part);
            }
            else
            {
                backend.Write(values, part);
            }
        }

        return true;
    }

    private static float[] NormsOf(Parameter matrix)
    {
        int width = matrix.Layout[-1], most = Math.Max(1, PieceElements / width);
        View all = matrix.Store.Values(matrix);
        var norms = new float[matrix.Layout.Rows];
        var piece = new float[Math.Min(most, norms.Length) * width];
        for (int start = 0; start < norms.Length; start += most)
        {
            int rows = Math.Min(most, norms.Length - start);
            matrix.Store.Backend.Read(all.With(Layout.Of(rows * width), (long)start * width), piece.AsSpan(0, rows * width));
            for (int row = 0; row < rows; row++)
            {
                double sum = 0;
                foreach (float value in piece.AsSpan(row * width, width))
                {
                    sum += (double)value * value;
                }

                norms[start + row] = (float)Math.Sqrt(sum);
            }
        }

        return norms;
    }

    // The elements from start on, which is even.
    private void Draw(Span<float> values, long start, in Initializer initializer, ulong stream)
    {
        if (initializer.Given is { } given)
        {
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)given[(int)((start + i) % given.Count)];
            }

            return;
        }

        (InitializerKind kind, double value, double high) = initializer;
        if (kind == InitializerKind.Constant)
        {
            values.Fill((float)value);
            return;
        }

        if (kind == InitializerKind.LogOfIndex)
        {
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)PortableMath.Log(1 + ((start + i) % (int)value));
            }

            return;
        }

        for (int i = 0; i < values.Length; i += 2)
        {
            (uint a, uint b, uint c, uint d) = Philox.Next(seed, stream, (ulong)(start + i));
            double u = Uniform(a, b), v = Uniform(c, d);
            (double first, double second) = kind switch
            {
                InitializerKind.Normal => BoxMuller(u, v, value),
                InitializerKind.Uniform => ((2 * u - 1) * value, (2 * v - 1) * value),
                InitializerKind.LogOfUniform => (LogOfUniform(u, value, high), LogOfUniform(v, value, high)),
                _ => (StepOfLogUniform(u, value, high), StepOfLogUniform(v, value, high)),
            };
            values[i] = (float)first;
            if (i + 1 < values.Length)
            {
                values[i + 1] = (float)second;
            }
        }
    }

    /// <summary>In (0, 1), with 53 bits.</summary>
    private static double Uniform(uint high, uint low) => ((((ulong)high << 32 | low) >> 11) + 0.5) * (1.0 / (1L << 53));

    private static (double, double) BoxMuller(double u, double v, double deviation)
    {
        (double first, double second) = Normal(Math.Log(u), Math.SinCos(2 * Math.PI * v), deviation);
        // The same on every machine, at the speed of the system's library.
        return PortableMath.IsNearMiddle(first) || PortableMath.IsNearMiddle(second)
            ? Normal(PortableMath.Log(u), PortableMath.SinCos(2 * Math.PI * v), deviation)
            : (first, second);
    }

    private static (double, double) Normal(double logarithm, (double Sin, double Cos) angle, double deviation)
    {
        double radius = Math.Sqrt(-2 * logarithm);
        return (radius * angle.Cos * deviation, radius * angle.Sin * deviation);
    }

    private static double LogOfUniform(double u, double low, double high) => PortableMath.Log(low + u * (high - low));

    // softplus⁻¹(s) = ln(eˢ − 1) = s + ln(1 − e⁻ˢ).
    private static double StepOfLogUniform(double u, double low, double high)
    {
        double step = low * PortableMath.Pow(high / low, u);
        return step + PortableMath.Log(-PortableMath.Exp(-step) + 1);
    }
}
