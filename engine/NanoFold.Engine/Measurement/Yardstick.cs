using System.Numerics.Tensors;

namespace NanoFold.Engine.Measurement;

/// <summary>About a millisecond of work that no kernel of this program takes part in: if it takes longer, the machine was slower.</summary>
public sealed class Yardstick
{
    private const int Calls = 2000;

    private readonly float[] _x = new float[4096];
    private readonly float[] _y = new float[4096];
    private float _sum;

    public void Run()
    {
        for (int i = 0; i < Calls; i++)
        {
            _sum += TensorPrimitives.Dot<float>(_x, _y);
        }
    }
}
