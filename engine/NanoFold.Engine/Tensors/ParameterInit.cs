using System.Security.Cryptography;
using System.Text;
using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>Draws initial values: a counter-based stream per parameter name, the same on every machine.</summary>
internal static class ParameterInit
{
    public static void Fill(ParameterStore store, Parameter parameter, ulong seed)
    {
        var values = new float[parameter.Layout.Count];
        Draw(values, parameter, seed);
        View target = store.Values(parameter);
        if (store.Type == DType.Float64)
        {
            store.Backend.Upload<double>(Array.ConvertAll(values, v => (double)v), target);
        }
        else
        {
            store.Backend.Upload<float>(values, target);
        }
    }

    private static void Draw(float[] values, Parameter parameter, ulong seed)
    {
        if (parameter.Initializer.Given is { } given)
        {
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)given[i % given.Count];
            }

            return;
        }

        (InitializerKind kind, double value, double high) = parameter.Initializer;
        if (kind == InitializerKind.Constant)
        {
            Array.Fill(values, (float)value);
            return;
        }

        if (kind == InitializerKind.LogOfIndex)
        {
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)Math.Log(1 + i % (int)value);
            }

            return;
        }

        ulong stream = BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes(parameter.Name)));
        for (int i = 0; i < values.Length; i += 2)
        {
            (uint a, uint b, uint c, uint d) = Philox.Next(seed, stream, (ulong)i);
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
        double radius = Math.Sqrt(-2 * Math.Log(u));
        (double sin, double cos) = Math.SinCos(2 * Math.PI * v);
        return (radius * cos * deviation, radius * sin * deviation);
    }

    private static double LogOfUniform(double u, double low, double high) => Math.Log(low + u * (high - low));

    // softplus⁻¹(s) = ln(eˢ − 1) = s + ln(1 − e⁻ˢ).
    private static double StepOfLogUniform(double u, double low, double high)
    {
        double step = low * Math.Pow(high / low, u);
        return step + Math.Log(-Math.Exp(-step) + 1);
    }
}
