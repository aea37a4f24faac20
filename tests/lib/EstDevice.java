import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.FileWriter;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.Collections;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.est.CACertsResponse;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.jcajce.JcaHttpAuthBuilder;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseDefaultHostnameAuthorizer;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/** A device that enrols with Bouncy Castle's EST client; says each answer in a line.
 *  java EstDevice.java HOST:PORT ANCHOR.pem (IDEVID.p12 | USER:PASSWORD) NAME
 *  Writes cacerts.pem, enrolled.pem and, after simplereenroll with that certificate, reenrolled.pem. */
public class EstDevice {
    static String server;
    static X509Certificate anchor;

    static ESTService service(KeyStore identity) throws Exception {
        JsseESTServiceBuilder builder = new JsseESTServiceBuilder(server,
            JcaJceUtils.getCertPathTrustManager(Set.of(new TrustAnchor(anchor, null)), null));
        builder.withTimeout(120000).withHostNameAuthorizer(new JsseDefaultHostnameAuthorizer(Collections.emptySet()));
        if (identity != null) {
            KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
            keys.init(identity, new char[0]);
            builder.withKeyManagers(keys.getKeyManagers());
        }
        return builder.build();
    }

    static void write(String file, X509CertificateHolder[] certificates) throws Exception {
        try (JcaPEMWriter pem = new JcaPEMWriter(new FileWriter(file))) {
            for (X509CertificateHolder certificate : certificates) pem.writeObject(certificate);
        }
    }

    /** Repeats the request as long as the server says "not yet". */
    static X509CertificateHolder[] enrol(ESTService service, boolean again, PKCS10CertificationRequest request, ESTAuth auth)
        throws Exception {
        EnrollmentResponse answer = service.simpleEnroll(again, request, auth);
        while (!answer.isCompleted()) {
            System.out.println("not yet");
            Thread.sleep(Math.max(0, answer.getNotBefore() - System.currentTimeMillis()));
            answer = service.simpleEnroll(answer);
        }
        return ESTService.storeToArray(answer.getStore());
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        server = arguments[0];
        anchor = (X509Certificate) CertificateFactory.getInstance("X.509")
            .generateCertificate(new FileInputStream(arguments[1]));
        KeyStore identity = null;
        ESTAuth auth = null;
        if (arguments[2].endsWith(".p12")) {
            identity = KeyStore.getInstance("PKCS12");
            identity.load(new FileInputStream(arguments[2]), new char[0]);
        } else {
            String[] login = arguments[2].split(":", 2);
            auth = new JcaHttpAuthBuilder(login[0], login[1].toCharArray()).build();
        }
        CACertsResponse anchors = service(null).getCACerts();
        write("cacerts.pem", ESTService.storeToArray(anchors.getCertificateStore()));
        System.out.println("cacerts " + (anchors.isTrusted() ? "trusted" : "unverified"));
        System.out.println("csrattrs " +
            (identity == null ? "unasked" : service(identity).getCSRAttributes().getAttributesResponse().getRequirements().size()));

        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair key = generator.generateKeyPair();
        ExtensionsGenerator extensions = new ExtensionsGenerator();
        extensions.addExtension(Extension.subjectAlternativeName, false,
            new GeneralNames(new GeneralName(GeneralName.dNSName, arguments[3])));
        PKCS10CertificationRequest request = new JcaPKCS10CertificationRequestBuilder(new X500Principal(""), key.getPublic())
            .addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest, extensions.generate())
            .build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate()));
        X509CertificateHolder[] certificates = enrol(service(identity), false, request, auth);
        write("enrolled.pem", certificates);
        System.out.println("enrolled");

        KeyStore issued = KeyStore.getInstance("PKCS12");
        issued.load(null, null);
        Certificate certificate = CertificateFactory.getInstance("X.509")
            .generateCertificate(new ByteArrayInputStream(certificates[0].getEncoded()));
        issued.setKeyEntry("device", key.getPrivate(), new char[0], new Certificate[] {certificate});
        write("reenrolled.pem", enrol(service(issued), true, request, null));
        System.out.println("reenrolled");
    }
}
